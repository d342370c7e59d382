"""Peak memory of a whole job against the length of its clip."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

ANIMATE = Path(__file__).resolve().parents[1] / "animate.py"

LENGTHS_S = (10.0, 60.0)
"""One clip six times as long as the other."""


def measure_memory() -> dict[str, Any]:
    """Peak resident memory of a previz job's largest worker, for both lengths, and their ratio."""
    from pipeline.demo.clip import make_demo_clip

    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="aureel-benchmark-") as folder:
        for seconds in LENGTHS_S:
            clip = make_demo_clip(Path(folder) / f"demo{seconds:.0f}.mp4", seconds=seconds)
            peaks[f"{seconds:.0f}"] = round(_peak_mib(clip), 1)
    short, long = peaks.values()
    return {"peak_mib_by_clip_seconds": peaks, "ratio": round(long / short, 3)}


def _peak_mib(clip: Path) -> float:
    command = [
        sys.executable,
        str(ANIMATE),
        "--curve",
        "smile",
    ]
    command += ["--editor", "previz", "--input", str(clip)]
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as job:
        family = psutil.Process(job.pid)
        while job.poll() is None:
            peak = max(peak, *(_private(p) for p in _workers(family)), 0)
            time.sleep(0.1)
    if job.returncode:
        raise SystemExit(f"benchmark: the job ended with status {job.returncode}")
    return peak / 2**20


def _workers(job: psutil.Process) -> list[psutil.Process]:
    try:
        return [job, *job.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _private(process: psutil.Process) -> int:
    """Resident bytes of a Python process without what it shares (Ray maps one big store)."""
    try:
        memory = process.memory_info()
        return memory.rss - memory.shared
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
