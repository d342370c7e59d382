"""What the graph makes of a cluster's time: its own code on a virtual clock, to be repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobs.benchmark import app
from jobs.benchmarks.scaling.schedule import Shape, measure_schedule, nodes_of
from jobs.benchmarks.scaling.virtual import Node
from jobs.command_line.command import run_command

BETWEEN = "efficiency_between_first_and_last_edit"
START_S = 20.0


def _clips(videos: int, *frames: int) -> tuple[int, ...]:
    return tuple(frames[number % len(frames)] for number in range(videos))


def _measured(
    shape: Shape, gpus: int = 32, each: int = 8, cores: float = 4.0, speeds: Any = (1.0,)
) -> dict[str, Any]:
    return measure_schedule(shape, nodes_of(gpus, each, cores, speeds), START_S)


@pytest.mark.parametrize(
    ("frames", "edit_s", "most_by_single"),
    [
        (_clips(200, 50, 100, 200), 0.04, 1.2),  # 2, 4 and 8 s of a GPU
        (_clips(600, 50), 0.04, 1.2),
        (_clips(100, 250, 500, 1000), 0.18, 1.2),
        (_clips(40, 750), 0.4, 1.4),
    ],
)
def test_32_gpus_are_busy_from_the_first_edit_to_the_last(frames, edit_s, most_by_single):
    told = _measured(Shape(frames, edit_s, 0.1 * edit_s, cut=True))
    assert told["gpus_that_edited"] == 32
    assert told[BETWEEN] >= 0.97
    assert told["idle_share_of_gpus"]["most"] <= 0.05
    assert told["idle_share_of_gpus_at_work"]["most"] <= 0.01
    assert told["first_output_by_single_clip"] <= most_by_single


def test_a_small_job_ends_as_evenly():
    told = _measured(Shape(_clips(8, 250), 0.18, 0.018, cut=True), gpus=8)
    assert told[BETWEEN] >= 0.95


def test_the_first_output_comes_as_soon_whatever_the_batch():
    """On 256 GPUs and 1,024 cores, whose analysis lands faster than the driver hands on."""
    told = _measured(Shape(_clips(1000, 250, 500), 0.18, 0.018, cut=True), gpus=256)
    assert told["first_output_by_single_clip"] <= 1.5
    assert told[BETWEEN] >= 0.97


@pytest.mark.parametrize("frames", [_clips(200, 50, 100, 200), _clips(120, 250, 500)])
def test_gpus_are_busy_beside_all_the_analysis_that_the_other_cores_can_give(frames):
    """Two cores for a GPU: its actor keeps one, and a frame is analysed as long as it is edited."""
    told = _measured(Shape(frames, 0.08, 0.08, cut=True), cores=2.0)
    assert told[BETWEEN] >= 0.9


def test_nodes_without_gpus_analyse_for_those_that_have_them():
    nodes = [*nodes_of(32, 8, 1.25, (1.0,)), *[Node(32.0)] * 3]
    shape = Shape(_clips(200, 50, 100, 200), 0.04, 0.1, cut=True)
    told = measure_schedule(shape, nodes, START_S)
    assert told[BETWEEN] >= 0.9
    alone = measure_schedule(shape, nodes[:4], START_S)
    assert alone[BETWEEN] < 0.8  # of the cores beside their GPUs, too few


def test_faster_gpus_get_more_and_nobody_waits_long_at_the_end():
    told = _measured(Shape(_clips(600, 50, 100, 200), 0.04, 0.004, cut=True), speeds=(1.0, 3.0))
    done = told["edit_seconds_by_speed"]
    assert done["3"] == pytest.approx(3 * done["1"], rel=0.1)
    assert told[BETWEEN] >= 0.95


def test_two_actors_share_a_gpu_as_one_has_it():
    shape = Shape(_clips(100, 50, 100, 200), 0.04, 0.004, cut=True, gpu_share=0.5)
    assert _measured(shape, gpus=8)[BETWEEN] >= 0.97


def test_the_schedule_is_told_by_a_command(capsys):
    assert run_command(app, ["schedule", "--gpus", "2,4", "--videos", "7", "--no-cut"]) == 0
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    assert [job["gpus"] for job in jobs] == [2, 4]
    assert [job["segments"] for job in jobs] == [7, 7]
    assert jobs[0]["ideal_s"] == 15.0  # lengths 1, 2, 4, 1, 2, 4, 1 of 2 s
