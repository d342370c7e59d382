"""Stages of one task per video: what they give, and what becomes of one that dies."""

from __future__ import annotations

import os
import signal
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
