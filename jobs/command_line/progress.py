"""How far a run is: a live line on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from jobs.command_line.report import Ledger, VideoEntry
from jobs.command_line.room import RoomTeller
from pipeline.rows import WHOLE_VIDEO, StageRow, VideoRow
from pipeline.store import VideoFolder

PLAIN_PERIOD_S = 5.0
LIVE_PERIOD_S = 0.5
STAGES = ("analyse", "render")
"""The stages that take time, in frames."""


class Progress:
    """Counts frames by stage and shows them; a context manager around a run."""

    def __init__(self, videos: Sequence[VideoRow], ledger: Ledger, console: Console) -> None:
        self._folders = [VideoFolder.of(v) for v in videos]
        places = {Path(v["work"]) for v in videos} | {Path(v["output"]).parent for v in videos}
        noted = [folder.job_folder for folder in self._folders]
        self._room = RoomTeller(noted, sorted(places), console)
        self._ledger = ledger
        self._console = console
        self._total: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._begun: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._show, name="progress", daemon=True)

    def on_row(self, row: StageRow) -> None:
        """Counts one verdict; call it from the driver."""
        stage = row["stage"]
        if row["number"] == WHOLE_VIDEO:
            if stage == "inspect":
                self._total.update(dict.fromkeys(STAGES, row["frames"]))
            return
        self._begun.setdefault(stage, time.monotonic() - row["seconds"])
        self._done[stage] += row["frames"]

    def line(self) -> str:
        """One line: stage, frames, fps, time left, failures."""
        stage = "render" if self._done["render"] or self._in_flight() else "analyse"
        done, total = self._done[stage], self._total[stage]
        if stage == "render":
            done += self._in_flight()
            self._begun.setdefault(stage, time.monotonic())
        elapsed = time.monotonic() - self._begun.get(stage, time.monotonic())
        fps = done / elapsed if elapsed > LIVE_PERIOD_S else 0.0
        left = f"{(total - done) / fps:.0f} s left" if fps > 0 and total > done else "—"
        failed = f" · {n} failed" if (n := sum(bool(e.error) for e in self._entries())) else ""
        return f"{stage} {done}/{total} frames · {fps:.1f} fps · {left}{failed}"

    def _entries(self) -> list[VideoEntry]:
        return list(self._ledger.entries.values())

    def _in_flight(self) -> int:
        """Frames of segments that are being rendered right now, from their workers' counters."""
        counters = [p for f in self._folders for p in f.job_folder.glob("*.frames")]
        return sum(_count(path) for path in counters)

    def _show(self) -> None:
        if not self._console.is_terminal:
            while not self._stopped.wait(PLAIN_PERIOD_S):
                self._room.tell()
                self._console.print(self.line(), highlight=False)
            return
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            while not self._stopped.wait(LIVE_PERIOD_S):
                self._room.tell()
                live.update(self.line(), refresh=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()


def _count(path: Path) -> int:
    try:
        return int(path.read_text() or 0)
    except (FileNotFoundError, ValueError):
        return 0  # finished, or just being written


def closing_table(entries: Sequence[VideoEntry], seconds: float) -> Table:
    """The table that ends a run."""
    table = Table(title=f"{len(entries)} videos in {seconds:.1f} s" if len(entries) > 1 else None)
    for heading in ("status", "frames", "edited", "no face", "output"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        where = f"{entry.stage}: {entry.error}" if entry.error else entry.output
        counts = (entry.frames, entry.edited_frames, entry.faceless_frames)
        table.add_row(entry.status, *map(str, counts), where)
    return table


def console() -> Console:
    """Standard output, as wide as it is; 200 columns where it is no terminal."""
    width = None if sys.stdout.isatty() else 200
    return Console(file=sys.stdout, width=width, highlight=False, markup=False)
