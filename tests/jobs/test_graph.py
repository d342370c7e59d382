"""Stages under way at once: in which order, what they give, and what becomes of one that dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engines.choice import resolve
from keyframes.load import parse_sheet
from pipeline.demo.clip import make_demo_clip
from pipeline.rows import VideoRow, stage_row
from pipeline.run_folder.store import video_row
from pipeline.settings import AnalysisSettings, RenderSettings

pytestmark = pytest.mark.usefixtures("ray_here")


def _video(name: str) -> VideoRow:
    return {"video": name, "source": f"{name}.mp4", "output": f"{name}.out.mp4", "work": "_work"}


def test_a_task_that_kills_its_process_becomes_a_row_and_the_others_land():
    from pipeline.flow.flow import Flow
    from pipeline.flow.tasks import Tasks

    def work(row: Any, frames: int) -> list[Any]:
        if row["video"] == "bad":
            os.kill(os.getpid(), signal.SIGKILL)
        return [stage_row(row["video"], "inspect", n, frames=frames) for n in (-1, 0)]

    landed: list[Any] = []
    flow = Flow()
    stage = flow.stage(Tasks("inspect", work, 7, retries=1), landed.append)
    for name in ("bad", "a", "b"):
        stage.put(_video(name))
    flow.run()
    ((lost,),) = [rows for rows in landed if rows[0]["video"] == "bad"]
    assert "given up by Ray (WorkerCrashedError)" in lost["error"]
    good = [rows for rows in landed if rows[0]["video"] != "bad"]
    assert sorted((r["video"], r["number"], r["frames"]) for rows in good for r in rows) == [
        (name, number, 7) for name in ("a", "b") for number in (-1, 0)
    ]


def test_a_clip_is_rendered_before_the_last_is_analysed_and_sources_are_analysed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """By the order of what lands, with room for two tasks at once, whatever each takes."""
    from pipeline.flow.flow import Cores
    from pipeline.graph import Job, run

    monkeypatch.setattr(Cores, "there", lambda _: 1.0)
    clip = make_demo_clip(tmp_path / "0.mp4", seconds=0.2, size=(96, 96))
    sources = [clip, *(tmp_path / f"{n}.mp4" for n in range(1, 4))]
    for number, source in enumerate(sources[1:]):
        shutil.copy(clip, source)
        os.utime(source, (number, number))  # another source
    outputs = [*sources, sources[2]]  # one of them twice
    videos: list[VideoRow] = [
        {**video_row(source, tmp_path / f"out{n}.mp4", tmp_path / "_work"), "request": "r"}
        for n, source in enumerate(outputs)
    ]
    analysis = AnalysisSettings(resolve("tracker", "mesh"), resolve("AU estimator", "mesh"))
    smile = parse_sheet("version: 1\nchannels: {AU12: [[0s, 3]]}\n", "smile")
    rows: list[Any] = []
    run(videos, Job(analysis, RenderSettings(smile, resolve("editor", "identity"))), rows.append)
    assert [row["error"] for row in rows if row["error"]] == []
    stages = [row["stage"] for row in rows]
    assert stages.count("finish") == 5
    last = len(stages) - 1 - stages[::-1].index("analyse")
    assert "finish" in stages[:last]
    seconds = [row["seconds"] for row in rows if row["stage"] == "analyse"]
    assert len(seconds) == 5
    assert len(set(seconds)) == 4  # one analysis, told to both that share it


def test_actors_on_a_gpu_make_the_same_film_as_tasks_on_cores(demo: Path, tmp_path: Path):
    script = Path(__file__).with_name("rendered_twice.py")
    root = script.parents[2]
    done = subprocess.run(
        [sys.executable, str(script), str(demo), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    made = json.loads(done.stdout.splitlines()[-1])
    cores, gpu = made["cores"], made["gpu"]
    assert cores["errors"] == gpu["errors"] == []
    assert cores["rows"] == gpu["rows"]
    assert gpu["rows"]["render"] >= 2  # several segments in one actor at once
    assert Path(gpu["output"]).read_bytes() == Path(cores["output"]).read_bytes()
