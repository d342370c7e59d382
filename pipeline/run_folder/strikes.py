"""Work that may kill its process, or hang: counted within a run, and given up after some deaths."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.guards.watchdog import allowance_s, has_hung, watchdog
from pipeline.run_folder.store import MAX_STRIKES, VideoFolder


def work_of(stage: str, number: int) -> str:
    """Names a piece of work for its start marks."""
    return f"{stage}-{number:06d}"


def whole_s(frames: int, seconds_per_frame: float, asked: float | None) -> float:
    """Seconds for work that tells of no step on its way: what is asked can only be more."""
    return max(allowance_s(frames, seconds_per_frame), asked or 0.0)


@contextmanager
def counted_start(
    folder: VideoFolder, work: str, what: str, limit_s: float
) -> Generator[Callable[[], None]]:
    """Leaves a mark while work is under way: one that outlives it tells of a process that died.

    What it gives is to be called at each step forward; without one for `limit_s`, the process dies.

    Args:
        work: names the mark, as `work_of` does.
        what: the same for people.
    Raises:
        PipelineError: the work has killed its process `MAX_STRIKES` times in this run.
    """
    strikes = folder.strikes(work)
    if len(strikes) >= MAX_STRIKES:
        told = _hung(strikes[-1], limit_s) if has_hung(strikes[-1]) else DIED
        raise PipelineError(f"{what}: {told}; run again to try it anew")
    try:
        with watchdog.over(folder.strike(work), limit_s) as step:
            yield step
    finally:
        folder.clear_strikes(work)


DIED = (
    f"its worker died {MAX_STRIKES} times in this run (out of memory? a crashing driver?); "
    "Ray's worker log has the end"
)


def _hung(mark: Path, limit_s: float) -> str:
    return (
        f"made no progress for {limit_s:g} s and was stopped, {MAX_STRIKES} times in this run; "
        f"{mark} says where it stood; --stuck-after gives it more time"
    )


class Gate:
    """Lets segments run side by side, but one that has killed a worker before only alone.

    Else an innocent neighbour would collect strikes for a death it did not cause.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._exclusive = False

    @contextmanager
    def shared(self) -> Generator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._exclusive)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Generator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._exclusive)
            self._exclusive = True
            self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._changed:
                self._exclusive = False
                self._changed.notify_all()
