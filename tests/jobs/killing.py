"""A run that is killed with all that it started, and what it had committed by then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
ANIMATE = [sys.executable, str(ROOT / "jobs/animate.py")]


def environment_with(marks: Path) -> dict[str, str]:
    """For a run with `tests.fakes:MarkedEditor` that writes its marks there."""
    inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    kills = str(marks.with_name("kills"))
    return {**inherited, "AUREEL_TEST_KILLS": kills, "PYTHONPATH": str(ROOT)}


def kill_when(
    call: tuple[str, ...],
    environment: dict[str, str],
    has_come: Callable[[], bool],
    command: list[str] = ANIMATE,
):
    """Starts `animate`, or another command, in a process of its own; SIGKILLs it with all that it
    started."""
    with subprocess.Popen([*command, *call], env=environment, stdout=subprocess.DEVNULL) as job:
        end = time.monotonic() + 240
        while not has_come():
            assert job.poll() is None, "the run ended by itself"
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.05)
        family = psutil.Process(job.pid).children(recursive=True)
        os.kill(job.pid, signal.SIGKILL)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def markers(work: Path) -> list[Path]:
    """Commit markers of pieces below a work folder."""
    return list(work.rglob("0[0-9][0-9][0-9][0-9][0-9]-*.json"))


def planned_and_committed(work: Path) -> tuple[set[int], set[int]]:
    """Frames of all segments of the one plan there, and of those that are committed."""
    (spans,) = work.rglob("spans-*.json")
    segments = json.loads(spans.read_text())["spans"]
    there = {int(marker.name[:6]) for marker in markers(work)}
    frames = {s["number"]: set(range(s["first"], s["last"] + 1)) for s in segments}
    committed = [frames[number] for number in there]
    return set().union(*frames.values()), set().union(*committed)


def marked(marks: Path) -> set[int]:
    """Frames that the editor was given."""
    return set(map(int, marks.read_text().split()))
