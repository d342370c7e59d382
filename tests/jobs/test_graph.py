"""Stages of one task per video: what they give, and what becomes of one that dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.rows import VideoRow, stage_row

pytestmark = pytest.mark.usefixtures("ray_here")


def _video(name: str) -> VideoRow:
    return {"video": name, "source": f"{name}.mp4", "output": f"{name}.out.mp4", "work": "_work"}


def test_each_video_gets_the_rows_of_its_own_task():
    from pipeline.graph import SingleTasks

    def work(row: Any, frames: int) -> list[Any]:
        return [stage_row(row["video"], "inspect", n, frames=frames) for n in (-1, 0)]

    tasks = SingleTasks(work, "inspect")
    for name in ("a", "b", "c"):
        tasks.start(_video(name), 7)
    rows = list(tasks.landed())
    assert sorted((r["video"], r["number"]) for r in rows) == [
        (name, number) for name in ("a", "b", "c") for number in (-1, 0)
    ]
    assert {r["frames"] for r in rows} == {7}


def test_a_task_that_kills_its_process_becomes_a_row_and_the_others_land():
    from pipeline.graph import SingleTasks

    def work(row: Any) -> list[Any]:
        if row["video"] == "bad":
            os.kill(os.getpid(), signal.SIGKILL)
        return [stage_row(row["video"], "inspect")]

    tasks = SingleTasks(work, "inspect")
    for name in ("bad", "good"):
        tasks.start(_video(name))
    errors = {row["video"]: row["error"] for row in tasks.landed()}
    assert errors["good"] == ""
    assert "given up by Ray (WorkerCrashedError)" in errors["bad"]


def test_actors_on_a_gpu_make_the_same_film_as_tasks_on_cores(demo: Path, tmp_path: Path):
    script = Path(__file__).with_name("rendered_twice.py")
    root = script.parents[2]
    done = subprocess.run(
        [sys.executable, str(script), str(demo), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    made = json.loads(done.stdout.splitlines()[-1])
    cores, gpu = made["cores"], made["gpu"]
    assert cores["errors"] == gpu["errors"] == []
    assert cores["rows"] == gpu["rows"]
    assert gpu["rows"]["render"] >= 2  # several segments in one actor at once
    assert Path(gpu["output"]).read_bytes() == Path(cores["output"]).read_bytes()
