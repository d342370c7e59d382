"""A full disk: work waits for room, says so, and goes on; or ends, to be resumed.

What met the full disk has left nothing behind (pipeline/files.py), so it can simply be done again.
Who waits leaves an empty note in the job's folder, by which the driver tells the person.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pipeline.errors import PipelineError

WAIT_S = 600.0
"""How long a process waits for room in one run; then what meets a full disk ends at once."""
LOOK_S = 0.5
STEP_BYTES, STEP_SHARE = 64 << 20, 0.05
"""Room by which a disk must have grown for another try: the lesser of both."""

NOTES = "no-room.*"

Made = TypeVar("Made")
_given_up: set[str] = set()


def note_in(folder: Path) -> Path:
    """The note that this process leaves in a folder while it waits."""
    return folder / NOTES.replace("*", str(os.getpid()))


def is_full(error: BaseException | None) -> bool:
    """Whether an error tells of a full disk, or comes from one that does."""
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return True
        error = error.__cause__ or error.__context__
    return False


def with_room(
    work: Callable[[], Made], folders: list[Path], note: Callable[[], Path], run: str
) -> Made:
    """What the work gives; done again when there is room where its disk was full.

    Args:
        folders: where it writes.
        note: names the file that lies there while it waits.
        run: token of the run: one that has waited in vain waits no more.
    Raises:
        PipelineError: there was no room for WAIT_S; the line says where.
    """
    end = time.monotonic() + WAIT_S
    while True:
        try:
            return work()
        except Exception as error:
            if not is_full(error):
                raise
            with _noted(note()):
                if run in _given_up or not _grows(folders, end):
                    _given_up.add(run)
                    raise PipelineError(
                        f"no room left on the disk of {fullest(folders)}; "
                        "free some and run again to go on"
                    ) from error


def fullest(folders: list[Path]) -> Path:
    """Of folders, that whose disk has the least room."""
    return min(map(_existing, folders), key=_free)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _grows(folders: list[Path], end: float) -> bool:
    """Waits until one of the disks has more room."""
    enough = {folder: _enough(folder) for folder in map(_existing, folders)}
    while time.monotonic() < end:
        if any(_free(folder) >= least for folder, least in enough.items()):
            return True
        time.sleep(LOOK_S)
    return False


def _enough(folder: Path) -> int:
    usage = shutil.disk_usage(folder)
    return usage.free + min(STEP_BYTES, int(usage.total * STEP_SHARE))


@contextmanager
def _noted(note: Path) -> Generator[None]:
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
