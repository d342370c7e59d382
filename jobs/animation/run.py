"""From a checked call to a report: what `animate` and `analyse` have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from jobs.command_line.event_log import EventPlaces, event_log
from jobs.command_line.progress import Progress, closing_table, first_of
from jobs.command_line.report import Ledger, Report
from jobs.ray_cluster.node_watch import NodeLostError, while_ray_lives
from pipeline.errors import StorageError
from pipeline.graph import Job, run
from pipeline.rows import StageRow, VideoRow
from pipeline.run_folder.store import VideoFolder, write_done
from pipeline.storage.urls import url_of

NOWHERE = EventPlaces()
UNENDED = "not ended: the run is going on, or was killed; run the same command again to go on"
REPORT_PERIOD_S = 2.0
"""Least time between two reports while a run goes on."""
REPORT_SHARE = 20
"""How many times longer than writing a report takes it is left: one of 50,000 videos, 1.6 s."""
VISIBLE_S = 5
"""How long an output of another node may take to be seen here."""
INTERRUPTED = "interrupted before its end; run the same command again to go on from there"


def run_job(
    videos: list[VideoRow],
    job: Job,
    ledger: Ledger,
    console: Console,
    publish: Callable[[float, str], Report],
    places: EventPlaces = NOWHERE,
    listed: Path | None = None,
) -> Report:
    """Runs a job to its end, shows it, and publishes its report whatever happens.

    The report is written before the work, so that a place that cannot take it is known then, and
    again as videos end: a run that is killed leaves what it had come to.

    Args:
        listed: the report's place, which is named where the screen does not show all.
    """
    begun, reason = time.monotonic(), INTERRUPTED
    publish(0.0, UNENDED)
    period = max(REPORT_PERIOD_S, REPORT_SHARE * (time.monotonic() - begun))
    written = time.monotonic()
    outputs = {video["video"]: video for video in videos}
    try:
        with (
            while_ray_lives(),
            Progress(videos, ledger, console) as progress,
            event_log(videos, places) as events,
        ):

            def on_row(row: Any) -> None:
                nonlocal written
                seen = as_seen_here(row, outputs[row["video"]])
                if job.stays and seen["stage"] == "finish" and not seen["error"]:
                    note_here(outputs[row["video"]])
                ledger.on_row(seen)
                progress.on_row(seen)
                events.on_row(seen)
                ends = seen["stage"] == "finish" or seen["error"]
                if ends and time.monotonic() - written > period:
                    written = time.monotonic()
                    with suppress(OSError, StorageError):  # said at the end, where it is still so
                        publish(written - begun, UNENDED)

            if videos:
                run(videos, job, on_row)
    except NodeLostError as lost:
        reason = str(lost)
    finally:
        ledger.close(reason)
        seconds = time.monotonic() - begun
        console.print(closing_table(list(ledger.entries.values()), seconds, listed))
        notes = dict.fromkeys(w for e in ledger.entries.values() for w in e.warnings)
        for line in first_of([f"note: {note}" for note in notes], listed):
            console.print(line)
        report = publish(seconds, "")
    return report


def note_here(video: VideoRow) -> None:
    """Notes here what an output was made from: its node's run folder is not seen here."""
    write_done(VideoFolder.of(video), Path(video["output"]), video["request"])


def as_seen_here(row: StageRow, video: VideoRow) -> StageRow:
    """A verdict, or an error where a node says "done" and this machine sees no output."""
    if row["stage"] != "finish" or row["error"]:
        return row
    output = Path(video["output"])
    if url_of(output):
        return row  # seen there as it was published
    for _ in range(VISIBLE_S * 2):
        with suppress(OSError):
            list(output.parent.iterdir())  # a network file system looks again
        if output.is_file():
            return row
        time.sleep(0.5)
    error = (
        f"{output}: a node published it, and this machine does not see it; "
        "outputs must lie on storage that all nodes share"
    )
    return {**row, "error": error}
