"""Ray's node process dies: the run ends with its table and its report, before Ray ends it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.ray_cluster.node_watch import LOST, NodeLostError
from tests.jobs.conftest import Animate

ROOT = Path(__file__).resolve().parents[2]
WATCH = """
import signal, subprocess, sys, threading
from jobs.ray_cluster.node_watch import NodeLostError, while_ray_lives
with while_ray_lives():  # there is none
    pass
node = subprocess.Popen([sys.argv[1], "3600"])
with while_ray_lives():
    pass
before = signal.getsignal(signal.SIGUSR1)
try:
    with while_ray_lives():
        node.kill()
        threading.Event().wait(60)
except NodeLostError as error:
    print(error, signal.getsignal(signal.SIGUSR1) == before)
"""


def test_the_death_of_the_node_ends_what_is_under_way(tmp_path: Path):
    sleep = shutil.which("sleep")
    assert sleep
    node = shutil.copy(sleep, tmp_path / "raylet")
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(node)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == f"{LOST} True\n"


def test_a_run_whose_node_died_leaves_its_report_and_its_table(
    animate: Animate, monkeypatch: pytest.MonkeyPatch
):
    import jobs.animation.run as running

    def lost(*_: object) -> None:
        raise NodeLostError(LOST)

    monkeypatch.setattr(running, "run", lost)
    run = animate("--curve", "smile2.yaml", "--editor", "identity", "--input", "talk.mp4")
    assert run.status == 1
    (entry,) = json.loads(Path("report.json").read_text())["videos"]
    assert entry["error"] == LOST
    assert "Ray's node process died" in run.stdout  # in the closing table
