"""How a run is stopped from outside."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def stoppable() -> Generator[None]:
    """SIGTERM (`ray job stop`) ends the run like Ctrl-C: the report is written, then we leave.

    Signals reach a process's main thread; a run in another is ended by who started it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        signal.alarm(0)  # Ray's native code may have set one, to abort who is not gone in 3 s
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
