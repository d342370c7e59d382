import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.ray_cluster.cluster import QUIET
from pipeline.metrics import ALONE, COUNTERS, ActorCounts, count_row, counter
from pipeline.rows import stage_row

ROOT = Path(__file__).resolve().parents[2]


class Counted(dict[tuple[str, str], float]):
    def __call__(self, name: str, value: float, stage: str) -> None:
        assert name in COUNTERS
        self[name, stage] = self.get((name, stage), 0.0) + value


def test_verdicts_count_by_stage_and_pieces_that_were_there_count_as_none():
    count = Counted()
    count_row(count, stage_row("v", "render", 0, frames=48, seconds=2.0))
    count_row(count, stage_row("v", "render", 1, frames=12, seconds=0.5))
    count_row(count, stage_row("v", "render", 2, frames=99))  # of an earlier run
    count_row(count, stage_row("v", "render", 3, error="its file is damaged"))
    count_row(count, stage_row("v", "finish", frames=159, seconds=0.25))
    assert count == {
        ("aureel_pieces", "render"): 2,
        ("aureel_frames", "render"): 60,
        ("aureel_worker_seconds", "render"): 2.5,
        ("aureel_failures", "render"): 1,
        ("aureel_videos", "finish"): 1,
        ("aureel_worker_seconds", "finish"): 0.25,
    }


def test_an_actor_tells_what_came_since_it_told_last_and_a_renewed_editor_begins_anew():
    count = Counted()
    counts = ActorCounts(count)
    counts.tell(1.0, 7, 8)
    counts.tell(3.0, 15, 16)
    counts.tell(0.5, 4, 4)
    assert count["aureel_editor_busy_seconds", "render"] == pytest.approx(3.5)
    assert count["aureel_crops", "render"] == 19
    assert count["aureel_crop_places", "render"] == 20


def test_a_ray_alone_counts_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(ALONE, "1")
    assert counter() is None
    ActorCounts(counter()).tell(1.0, 7, 8)
    monkeypatch.delenv(ALONE)
    assert counter() is not None


EXPORTED = """
import time, urllib.request
from contextlib import suppress
import ray
from pipeline.metrics import ActorCounts, count_row, counter
from pipeline.rows import stage_row
ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
count_row(counter(), stage_row("v", "render", 0, frames=48, seconds=2.0))
count_row(counter(), stage_row("v", "finish", error="its disk is gone"))
ActorCounts(counter()).tell(1.5, 7, 8)
(node,) = ray.nodes()
place = f"http://127.0.0.1:{node['MetricsExportPort']}/metrics"
told = ""
for _ in range(60):
    time.sleep(1)
    with suppress(OSError):  # the node's agent is not up yet
        told = urllib.request.urlopen(place, timeout=5).read().decode()
    if "aureel" in told:
        break
print(told)
"""


@pytest.mark.slow
def test_a_ray_that_others_collect_from_exports_what_was_counted():
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("RAY_") and k != ALONE}
    done = subprocess.run(
        [sys.executable, "-c", EXPORTED],
        env={**inherited, **QUIET, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ray_aureel_")]
    told = {
        (line.partition("{")[0], line.partition('stage="')[2].partition('"')[0]): float(
            line.rpartition(" ")[2]
        )
        for line in lines
    }
    assert told == {
        ("ray_aureel_pieces_total", "render"): 1,
        ("ray_aureel_frames_total", "render"): 48,
        ("ray_aureel_worker_seconds_total", "render"): 2,
        ("ray_aureel_failures_total", "finish"): 1,
        ("ray_aureel_editor_busy_seconds_total", "render"): 1.5,
        ("ray_aureel_crops_total", "render"): 7,
        ("ray_aureel_crop_places_total", "render"): 8,
    }
