"""The death of Ray's node process, seen before Ray ends ours for it without a report."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil

from jobs.ray_cluster.lone_machine import RAYLET

AGAIN_S = 0.2
LOST = "Ray's node process died (killed? out of memory?); run the same command again to go on"


class NodeLostError(BaseException):
    """Like KeyboardInterrupt: nothing that handles errors of the work may keep it."""


@contextmanager
def while_ray_lives() -> Generator[None]:
    """Ends what is under way when the node process that we started dies.

    Raises:
        NodeLostError: it did. Not in another than the main thread, nor for a cluster's own node.
    """
    raylet = _our_raylet()
    if raylet is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    told = threading.Event()

    def lost(_number: int, _frame: FrameType | None) -> None:
        if not told.is_set():
            told.set()
            raise NodeLostError(LOST)

    over, tell_over = os.pipe()
    before = signal.signal(signal.SIGUSR1, lost)
    watch = threading.Thread(target=_watch, args=(raylet, over, threading.get_ident()), daemon=True)
    watch.start()
    try:
        yield
    finally:
        os.write(tell_over, b"x")
        watch.join()
        signal.signal(signal.SIGUSR1, before)
        for end in (raylet, over, tell_over):
            os.close(end)


def _our_raylet() -> int | None:
    """A handle of the node process among our children; None where there is none."""
    with suppress(psutil.Error, OSError, AttributeError):  # pidfd: Linux alone
        for child in psutil.Process().children():
            if child.name() == RAYLET:
                return os.pidfd_open(child.pid)
    return None


def _watch(raylet: int, over: int, thread: int) -> None:
    ended, _, _ = select.select([raylet, over], [], [])
    while over not in ended:
        # Again and again: one that comes just before a thread begins to wait does not wake it.
        signal.pthread_kill(thread, signal.SIGUSR1)
        ended, _, _ = select.select([over], [], [], AGAIN_S)
