"""`animate` in processes of its own, as an operator starts it, and what belongs to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from jobs.disturbances.paced import PACE

ROOT = Path(__file__).resolve().parents[2]
LOOK_S = 0.01
MOST_S = 240.0
"""After which a call counts as hanging."""


class Call:
    """A running `animate`.

    Args:
        log: takes all it says; its report lies beside it.
        pace_s: seconds that each edit takes longer.
    """

    def __init__(self, arguments: list[str], log: Path, pace_s: float = 0.0) -> None:
        self.arguments = arguments
        self.log = log
        self.report = log.with_suffix(".json")
        self.hangs = False
        environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
        environment[PACE] = str(pace_s)
        known = os.environ.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), known]))
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    str(ROOT / "jobs/animate.py"),
                    "--report",
                    str(self.report),
                    *arguments,
                ],
                stdout=said,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """All it has printed so far."""
        return self.log.read_text(errors="replace")

    @property
    def never_ran(self) -> bool:
        """Whether Ray did not come up, as on a machine that has too much to do."""
        return "Ray could not start on this machine" in self.said

    @property
    def has_begun(self) -> bool:
        """Whether Ray is there, and with it, from now on, a report."""
        return "editor: " in self.said

    def until(self, has_come: Callable[[], bool]) -> bool:
        """Waits for something; False where the call has ended before.

        Where neither happens, the call `hangs`, and is ended with all it has started.
        """
        end = time.monotonic() + MOST_S
        while not has_come():
            if not self.is_running:
                return False
            if time.monotonic() > end:
                self.hangs = True
                self.kill_all()
            time.sleep(LOOK_S)
        return self.is_running

    def ended(self) -> int:
        """Waits for its end: its exit status, or minus the signal that ended it."""
        self.until(lambda: False)
        return self._process.wait()

    def tell(self, number: signal.Signals) -> None:
        """Sends the driver a signal."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def family(self) -> list[psutil.Process]:
        """All processes it has started, and theirs."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self._process.pid).children(recursive=True)
        return []

    def workers(self) -> list[psutil.Process]:
        """Its Ray workers; agents go by such names too, and the node falls with them."""
        named = [(process, _name(process)) for process in self.family()]
        return [p for p, name in named if name.startswith("ray::") and "Agent" not in name]

    def raylet(self) -> psutil.Process | None:
        """Its Ray's node process."""
        return next((p for p in self.family() if Path(_name(p)).name == "raylet"), None)

    def kill_all(self) -> None:
        """Ends it and all it has started, as a power cut would."""
        family = self.family()
        self.tell(signal.SIGKILL)
        for process in family:
            kill(process)
        psutil.wait_procs(family, timeout=10)


def kill(process: psutil.Process) -> None:
    """SIGKILL, where the process is still there."""
    with suppress(psutil.NoSuchProcess):
        process.kill()


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error, IndexError):
        return process.cmdline()[0]
    return ""
