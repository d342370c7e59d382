"""How far a run is: a live line on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from jobs.command_line.report import Ledger, VideoEntry
from jobs.command_line.room import RoomTeller
from pipeline.rows import WHOLE_VIDEO, StageRow, VideoRow, is_still_to_do
from pipeline.run_folder.store import VideoFolder
from pipeline.source import Identity
from pipeline.storage.urls import told

PLAIN_PERIOD_S = 5.0
LIVE_PERIOD_S = 0.5
FOUND_BY = {"analyse": "inspect", "render": "plan"}
"""The stages that take time, in frames: each with the one that finds what it has to do."""
MOST_SHOWN = 40
"""Videos that a table or a list on the screen names."""
ADDED = {"plot": "plots", "qa": "verdicts"}
"""What comes after an output stands."""


class Progress:
    """Counts frames by stage and shows them; a context manager around a run."""

    def __init__(self, videos: Sequence[VideoRow], ledger: Ledger, console: Console) -> None:
        self._folders = {v["video"]: VideoFolder.of(v) for v in videos}
        self._bytes = {v["video"]: Identity.parse(v["identity"]).size for v in videos}
        self._all_bytes = sum(self._bytes.values())
        places = {Path(v["work"]) for v in videos} | {Path(v["output"]).parent for v in videos}
        noted = [folder.job_folder for folder in self._folders.values()]
        self._room = RoomTeller(noted, sorted(places), console)
        self._ledger = ledger
        self._console = console
        self._begun: dict[str, float] = {}
        self._done: Counter[str] = Counter()
        self._to_do: Counter[str] = Counter()
        self._bytes_seen: Counter[str] = Counter()
        self._seen: set[tuple[str, str]] = set()
        self._under_way: dict[str, VideoFolder] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._show, name="progress", daemon=True)

    def on_row(self, row: StageRow) -> None:
        """Counts one verdict; call it from the driver."""
        stage, video = row["stage"], row["video"]
        if is_still_to_do(row):
            self._to_do.update({of: row["frames"] for of, by in FOUND_BY.items() if by == stage})
            return
        if stage == "inspect":
            self._under_way[video] = self._folders[video]
        self._see(row)
        if row["error"] or self._ledger.entries[video].status == "done":
            self._under_way.pop(video, None)
        if stage in ADDED:
            self._done[stage] += 1
        elif row["number"] != WHOLE_VIDEO:
            self._begun.setdefault(stage, time.monotonic() - row["seconds"])
            self._done[stage] += row["frames"]
            if not row["seconds"]:  # done by an earlier run, and so never found to be done
                self._to_do[stage] += row["frames"]

    def _see(self, row: StageRow) -> None:
        """Notes of which videos it is known what a stage has to do: nothing once they failed."""
        for stage, by in FOUND_BY.items():
            key = stage, row["video"]
            if (row["stage"] == by or row["error"]) and key not in self._seen:
                self._seen.add(key)
                self._bytes_seen[stage] += self._bytes[row["video"]]

    def line(self) -> str:
        """One line over the whole job: clips, frames by stage, fps, time left, failures."""
        entries = list(self._ledger.entries.values())
        ended = sum(e.status != "failed" or bool(e.error) for e in entries)
        in_flight = self._in_flight()
        if in_flight:
            self._begun.setdefault("render", time.monotonic())
        done = {"analyse": self._done["analyse"], "render": self._done["render"] + in_flight}
        last = "render" if done["render"] else "analyse"
        parts = [f"{ended}/{len(entries)} clips"] if len(entries) > 1 else []
        parts += [f"{stage} {done[stage]}" for stage in FOUND_BY if stage != last and done[stage]]
        parts += [f"{last} {done[last]}/{self._total(last)} frames", *self._pace(last, done[last])]
        parts += [
            f"{self._done[stage]} {told}" for stage, told in ADDED.items() if self._done[stage]
        ]
        failed = sum(bool(e.error) for e in entries)
        return " · ".join([*parts, *([f"{failed} failed"] if failed else [])])

    def _total(self, stage: str) -> str:
        """Frames of the whole job; about, while what some files need is known by their size."""
        is_known = self._bytes_seen[stage] >= self._all_bytes
        return f"{self._frames(stage)}" if is_known else f"≈{self._frames(stage)}"

    def _frames(self, stage: str) -> int:
        return round(self._to_do[stage] * self._all_bytes / max(1, self._bytes_seen[stage]))

    def _pace(self, stage: str, done: int) -> tuple[str, str]:
        elapsed = time.monotonic() - self._begun.get(stage, time.monotonic())
        fps = done / elapsed if elapsed > LIVE_PERIOD_S else 0.0
        to_do = self._frames(stage) - done
        return f"{fps:.1f} fps", f"{to_do / fps:.0f} s left" if fps > 0 and to_do > 0 else "—"

    def _in_flight(self) -> int:
        """Frames of segments that are being rendered right now, from their workers' counters."""
        under_way = list(self._under_way.values())
        return sum(_count(path) for f in under_way for path in f.job_folder.glob("*.frames"))

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


def closing_table(entries: Sequence[VideoEntry], seconds: float, report: Path | None) -> Table:
    """The table that ends a run: of many videos those that failed, and how many more there are.

    Args:
        report: what has them all.
    """
    table = Table(title=f"{len(entries)} videos in {seconds:.1f} s" if len(entries) > 1 else None)
    for heading in ("status", "frames", "edited", "no face", "output"):
        table.add_column(heading, overflow="fold")
    failed_first = sorted(entries, key=lambda entry: entry.status != "failed")
    shown = entries if len(entries) <= MOST_SHOWN else failed_first[:MOST_SHOWN]
    for entry in shown:
        failed = entry.input if entry.stage == "input" else entry.stage  # the rest name their file
        where = f"{failed}: {entry.error}" if entry.error else entry.output
        counts = (entry.frames, entry.edited_frames, entry.faceless_frames)
        table.add_row(entry.status, *map(str, counts), where)
    if len(shown) < len(entries):
        table.caption = _not_shown(failed_first[MOST_SHOWN:], report)
    return table


def first_of(lines: Sequence[str], report: Path | None) -> Sequence[str]:
    """The lines, of very many the first; then how many more there are, and what has them all."""
    if len(lines) <= MOST_SHOWN:
        return lines
    place = report or "with --report"
    return [*lines[:MOST_SHOWN], f"… {len(lines) - MOST_SHOWN} more such lines: {place}"]


def _not_shown(entries: Sequence[VideoEntry], report: Path | None) -> str:
    counts = Counter(entry.status for entry in entries)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"and {told}; all of them: {report or 'with --report'}"


class TellingConsole(Console):
    """Shows objects in stores by their URLs, in tables as in lines, and no secret of a URL."""

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(told(text), **how)


def console() -> Console:
    """Standard output, as wide as it is; 200 columns where it is no terminal."""
    width = None if sys.stdout.isatty() else 200
    return TellingConsole(file=sys.stdout, width=width, highlight=False, markup=False)
