"""From a checked call to a report: what `animate` and `analyse` have in common."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console

from jobs.command_line.progress import Progress, closing_table
from jobs.command_line.report import Ledger, Report
from pipeline.graph import Job, run
from pipeline.rows import VideoRow

INTERRUPTED = "interrupted before its end; run the same command again to go on from there"


def run_job(
    videos: list[VideoRow],
    job: Job,
    ledger: Ledger,
    console: Console,
    publish: Callable[[float], Report],
) -> Report:
    """Runs a job to its end, shows it, and publishes its report whatever happens."""
    begun = time.monotonic()
    try:
        with _stoppable(), Progress(videos, ledger, console) as progress:

            def on_row(row: Any) -> None:
                ledger.on_row(row)
                progress.on_row(row)

            if videos:
                run(videos, job, on_row)
    finally:
        ledger.close(INTERRUPTED)
        seconds = time.monotonic() - begun
        report = publish(seconds)
    console.print(closing_table(list(ledger.entries.values()), seconds))
    for note in dict.fromkeys(w for e in ledger.entries.values() for w in e.warnings):
        console.print(f"note: {note}")
    return report


@contextmanager
def _stoppable() -> Generator[None]:
    """SIGTERM (`ray job stop`) ends the run like Ctrl-C: the report is written, then we leave.

    Signals reach a process's main thread; a run in another is ended by who started it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
