"""Hung work: a process whose work makes no progress is ended, and that counts as a strike.

A codec, a driver or a network that hangs in native code never comes back to the interpreter and may
hold its lock, so neither an exception nor a thread of Python could end it. CPython's own watchdog
(`faulthandler`) is a thread that needs neither: it writes where every thread stands into the work's
start mark, and leaves the process. What else ran in that process is begun again.
"""

from __future__ import annotations

import faulthandler
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LEAST_S = 300.0
"""A first frame may wait for a network to be compiled, or for a busy machine."""
FACTOR = 20.0
"""How many times as long as expected all frames of a piece of work may take, without one ending."""


def allowance_s(frames: int, seconds_per_frame: float, asked: float | None = None) -> float:
    """How long work over so many frames may go on without progress, in seconds.

    Args:
        seconds_per_frame: expected of its engine.
        asked: what the call says instead.
    """
    if asked is not None:
        return asked
    return max(LEAST_S, FACTOR * frames * seconds_per_frame)


@dataclass
class _Work:
    mark: BinaryIO
    limit_s: float
    deadline: float


class Watchdog:
    """Watches all work of a process, which has one `faulthandler`: the first to be late ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._works: dict[int, _Work] = {}
        self._armed = 0.0

    @contextmanager
    def over(self, mark: Path, limit_s: float) -> Generator[Callable[[], None]]:
        """Watches over a piece of work; what it gives is to be called at each step forward.

        Args:
            mark: a file that is there; it has content only after the work has hung.
            limit_s: without a step for so long, the process ends with status 1.
        """
        with mark.open("ab", buffering=0) as file:
            work = _Work(file, limit_s, time.monotonic() + limit_s)
            with self._lock:
                self._works[id(work)] = work
                self._arm()

            def step() -> None:
                now = time.monotonic()
                with self._lock:
                    work.deadline = now + limit_s
                    if now - self._armed > min(1.0, limit_s / 10):  # arming starts a thread
                        self._arm()

            try:
                yield step
            finally:
                with self._lock:
                    del self._works[id(work)]
                    self._arm()

    def _arm(self) -> None:
        self._armed = time.monotonic()
        if not self._works:
            faulthandler.cancel_dump_traceback_later()
            return
        first = min(self._works.values(), key=lambda work: work.deadline)
        left = max(0.001, first.deadline - self._armed)
        faulthandler.dump_traceback_later(left, exit=True, file=first.mark)


watchdog = Watchdog()
"""The process's."""


def has_hung(mark: Path) -> bool:
    """Whether the work of a start mark was ended for making no progress."""
    try:
        return mark.stat().st_size > 0
    except FileNotFoundError:
        return False
