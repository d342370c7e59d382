"""What happened when: a line of JSON per stage and segment, and a timeline that a browser shows."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.command_line.outputs import is_one_of
from jobs.command_line.places import check_file_place
from jobs.errors import JobError
from pipeline.files import make_folder, write_json
from pipeline.rows import WHOLE_VIDEO, StageRow, VideoRow, is_still_to_do
from pipeline.storage.urls import told as as_told

SCHEMA = "aureel-events/1"
COUNTS = ("frames", "edited", "faceless", "copied")


@dataclass(frozen=True)
class Event:
    """A stage's work on a video, or on a part of one, as the driver saw it end.

    Attributes:
        ended_s: since the run began, by a clock that never jumps.
        at: when it ended, by the machine's own clock, UTC.
    """

    row: StageRow
    video: VideoRow
    ended_s: float
    at: datetime

    @property
    def begun_s(self) -> float:
        """When it began: its worker's own time, before it ended."""
        return max(0.0, self.ended_s - self.row["seconds"])

    def described(self) -> dict[str, Any]:
        """As a line of the log has it; a part's place in the video where it is one."""
        row = self.row
        told: dict[str, Any] = {
            "at": self.at.isoformat(timespec="milliseconds"),
            "stage": row["stage"],
            "source": self.video["source"],
            "output": self.video["output"],
            **{name: row[name] for name in ("seconds", "cpu_s", *COUNTS)},
            "error": row["error"] or None,
        }
        if row["number"] != WHOLE_VIDEO:
            told |= {name: row[name] for name in ("number", "first", "last")}
        return told


class EventLog:
    """Writes each event down as it happens, and draws all of them at the end."""

    def __init__(self, videos: Sequence[VideoRow], lines: Any, *, keeps: bool) -> None:
        """
        Args:
            lines: a text file for the log, or None.
            keeps: events for the timeline; else the log's length costs no memory.
        """
        self._videos = {video["video"]: video for video in videos}
        self._lines = lines
        self._keeps = keeps
        self._begun = time.monotonic()
        self.events: list[Event] = []
        self._write({"schema": SCHEMA, "videos": len(videos)})

    def on_row(self, row: StageRow) -> None:
        """Takes one verdict; call it from the driver."""
        if is_still_to_do(row):
            return
        now = time.monotonic() - self._begun
        event = Event(row, self._videos[row["video"]], now, datetime.now(UTC))
        self._write(event.described())
        if self._keeps:
            self.events.append(event)

    def _write(self, told: dict[str, Any]) -> None:
        if self._lines is not None:
            self._lines.write(as_told(json.dumps(told, ensure_ascii=False)) + "\n")
            self._lines.flush()  # who follows the file sees it, and a killed run leaves it


@dataclass(frozen=True)
class EventPlaces:
    """Where a run's events are to be written, if at all.

    Attributes:
        lines: a line of JSON for each as it happens; replaces what lies there.
        timeline: all of them, in Chrome's trace format.
    """

    lines: Path | None = None
    timeline: Path | None = None


@contextmanager
def event_log(videos: Sequence[VideoRow], places: EventPlaces) -> Generator[EventLog]:
    """A log while a run goes on; the timeline is written when it ends, however it ends."""
    timeline = places.timeline
    with _lines_into(places.lines) as lines:
        events = EventLog(videos, lines, keeps=timeline is not None)
        try:
            yield events
        finally:
            if timeline is not None:
                write_json(timeline, timeline_of(events.events))


@contextmanager
def _lines_into(log: Path | None) -> Generator[Any]:
    if log is None:
        yield None
        return
    make_folder(log.parent)
    with log.open("w", encoding="utf-8") as lines:
        yield lines


def event_places(
    lines: str | None, timeline: str | None, videos: Sequence[VideoRow]
) -> EventPlaces:
    """The places as they were given, tried before any work; nothing is written.

    Raises:
        JobError: a file cannot be written there, or it is an input or output of the job.
    """
    taken = [Path(video[end]) for video in videos for end in ("source", "output")]
    return EventPlaces(_place(lines, "--log-json", taken), _place(timeline, "--timeline", taken))


def _place(told: str | None, option: str, taken: list[Path]) -> Path | None:
    if told is None:
        return None
    path = Path(told).expanduser().absolute()
    check_file_place(path, option)
    if path in taken or is_one_of(path, taken):
        raise JobError(f"{option} {told}: is an input or output of this job")
    return path


def timeline_of(events: Sequence[Event]) -> dict[str, Any]:
    """The events in Chrome's trace format, which Perfetto and chrome://tracing open.

    A stage is a process, and as many lanes of it as ran at once are threads. Source: "Trace Event
    Format", complete events (`X`); times in microseconds since the run began.
    """
    stages = list(dict.fromkeys(event.row["stage"] for event in events))
    drawn: list[dict[str, Any]] = []
    for process, stage in enumerate(stages, 1):
        name = {"name": "process_name", "ph": "M", "pid": process, "args": {"name": stage}}
        order = {"name": "process_sort_index", "ph": "M", "pid": process}
        drawn += [name, {**order, "args": {"sort_index": process}}]
        of_stage = [event for event in events if event.row["stage"] == stage]
        drawn += [_drawn(event, process, lane) for event, lane in in_lanes(of_stage)]
    return {"traceEvents": drawn, "displayTimeUnit": "ms"}


def in_lanes(events: Sequence[Event]) -> Iterator[tuple[Event, int]]:
    """Each event with the lowest lane that is free when it begins, in that order."""
    free: list[int] = []
    taken: list[tuple[float, int]] = []
    lanes = 0
    for event in sorted(events, key=lambda event: event.begun_s):
        while taken and taken[0][0] <= event.begun_s:
            heapq.heappush(free, heapq.heappop(taken)[1])
        if not free:
            lanes += 1
            free.append(lanes)
        lane = heapq.heappop(free)
        heapq.heappush(taken, (event.ended_s, lane))
        yield event, lane


def _drawn(event: Event, process: int, lane: int) -> dict[str, Any]:
    told = event.described()
    part = f" {told['first']}–{told['last']}" if "first" in told else ""
    drawn = {
        "name": f"{Path(event.video['source']).name}{part}",
        "cat": event.row["stage"],
        "ph": "X",
        "pid": process,
        "tid": lane,
        "ts": round(event.begun_s * 1e6),
        "dur": round((event.ended_s - event.begun_s) * 1e6),
        "args": told,
    }
    return {**drawn, "cname": "terrible"} if event.row["error"] else drawn
