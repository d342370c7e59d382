"""A process keeps the scheduling it was started with, whatever the library of an encoder asks for.

SVT-AV1, where it runs as root (most containers), makes its threads and the one that opens it
SCHED_FIFO at priority 99: they come before everything else on the machine, and what waits by
spinning then waits for ever for a thread that gets no core.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def scheduling_kept() -> Generator[None]:
    """What this thread becomes, and those started meanwhile, is what this thread was before.

    Where a system has no such classes (macOS) nothing is done.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = _threads()
    try:
        yield
    finally:
        for thread in (0, *(_threads() - before)):
            with contextlib.suppress(ProcessLookupError):  # ended meanwhile
                os.sched_setscheduler(thread, policy, parameters)


def _threads() -> set[int]:
    return {int(entry.name) for entry in Path("/proc/self/task").iterdir()}
