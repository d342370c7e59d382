"""What a person is told while work waits for room on a full disk (pipeline/guards/room.py)."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from pipeline.guards.room import NOTES, WAIT_S, fullest

PERIOD_S = 1.0
LOOK_SHARE = 20
"""How many times longer than a look took there is none: of many videos it takes long."""


class RoomTeller:
    """Says once that work waits for room, and once that it goes on.

    Args:
        noted: folders in which workers leave a note while they wait.
        written: folders that are written to.
    """

    def __init__(self, noted: Sequence[Path], written: Sequence[Path], console: Console) -> None:
        self._noted, self._written = noted, written
        self._console = console
        self.waits = False
        self._next = 0.0

    def tell(self) -> None:
        """Looks, unless it has just taken long to, and says what has changed."""
        begun = time.monotonic()
        if begun < self._next:
            return
        self._look()
        ended = time.monotonic()
        self._next = ended + LOOK_SHARE * (ended - begun)

    def _look(self) -> None:
        waits = any(True for folder in self._noted for _ in folder.glob(NOTES))
        if waits and not self.waits:
            self._console.print(
                f"no room left on the disk of {fullest(list(self._written))}: waiting for some, "
                f"{WAIT_S / 60:.0f} min at most; free some to go on"
            )
        if self.waits and not waits:
            self._console.print("no longer waiting for room")
        self.waits = waits


@contextmanager
def telling_of_room(folder: Path, console: Console) -> Generator[None]:
    """Tells of room for work that writes in one folder, and leaves its notes there."""
    for stale in folder.glob(NOTES):  # of a call that was killed
        stale.unlink(missing_ok=True)
    teller, over = RoomTeller([folder], [folder], console), threading.Event()

    def watch() -> None:
        while not over.wait(PERIOD_S):
            teller.tell()

    thread = threading.Thread(target=watch, name="room", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
