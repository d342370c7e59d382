"""Hung work ends its process, whatever the interpreter is held by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipeline.guards.watchdog import LEAST_S, allowance_s

TWO_AT_ONCE = """
import ctypes, sys, threading, time
from pathlib import Path
from pipeline.guards.watchdog import watchdog

started = threading.Event()

def goes_on():
    with watchdog.over(Path("goes_on"), 60.0) as step:
        started.set()
        while True:
            step()
            time.sleep(0.01)

threading.Thread(target=goes_on, daemon=True).start()
started.wait()
with watchdog.over(Path("ended"), 0.2):
    pass
with watchdog.over(Path("hangs"), 0.3) as step:
    step()
    ctypes.PyDLL(None).sleep(100)  # native code that keeps the interpreter's lock
print("went on")
"""


def test_native_code_that_hangs_with_the_lock_held_ends_its_process_and_is_named(tmp_path: Path):
    for name in ("goes_on", "ended", "hangs"):
        (tmp_path / name).touch()
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, "-c", TWO_AT_ONCE],
        cwd=tmp_path,
        env={"PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert "File" in (tmp_path / "hangs").read_text()  # where it stood
    assert [(tmp_path / name).read_text() for name in ("goes_on", "ended")] == ["", ""]


def test_the_limit_grows_with_the_work_and_never_falls_below_a_first_frames():
    assert allowance_s(1000, 0.5) == 10 * allowance_s(100, 0.5) > LEAST_S
    assert allowance_s(1, 0.001) == LEAST_S
    assert allowance_s(1000, 0.5, asked=7.0) == 7.0
