"""Jobs on real raylets that are unlike, that come and that go, with a sleeping editor.

Slow: `make test-slow`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.benchmarks.scaling.pretended import NODE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 200.0


class Raylets:
    """A cluster on this machine, and a job on it."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self._cluster, self._folder = Cluster(), folder

    def add(self, name: str, speed: float = 1.0, **resources: float) -> Any:
        """A node whose GPUs are so fast."""
        environment = {NODE: f"{name},{speed}", "PYTHONPATH": str(ROOT)}
        memory = 200 * 2**20
        return self._cluster.add_node(env_vars=environment, object_store_memory=memory, **resources)

    def kill(self, node: Any) -> None:
        """Takes a node away, with all its workers, without a word."""
        self._cluster.remove_node(node, allow_graceful=False)

    def job(self, videos: int, seconds: float, gpu_share: float = 1.0) -> subprocess.Popen[str]:
        """Begins a job whose clips take so many seconds of a GPU of speed 1."""
        call = [sys.executable, "-m", "tests.jobs.pretended_job", str(self._folder)]
        return subprocess.Popen(
            [*call, str(videos), str(seconds), str(gpu_share)],
            cwd=ROOT,
            env={**os.environ, "RAY_ADDRESS": str(self._cluster.address)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def edits(self) -> dict[str, list[int]]:
        """By node: of each of its actors, how many frames it has edited."""
        edits: dict[str, list[int]] = {}
        for marks in sorted((self._folder / "job" / "marks").glob("*-*")):
            lines = marks.read_text().splitlines()
            edits.setdefault(marks.name.partition("-")[0], []).append(len(lines) - 1)
        return edits

    def outputs(self) -> int:
        return len(list((self._folder / "job" / "out").glob("*.mp4")))

    def leave(self) -> None:
        self._cluster.shutdown()


@pytest.fixture
def raylets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Raylets]:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # a token is for a machine's private Ray
    made = Raylets(tmp_path)
    try:
        yield made
    finally:
        made.leave()


def _wait(until: Callable[[], Any], job: subprocess.Popen[str]) -> None:
    end = time.monotonic() + WAIT_S
    while not until():
        assert job.poll() is None, "the job has ended"
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.2)


def _told(job: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = job.communicate(timeout=WAIT_S)
    assert job.returncode == 0
    return json.loads(said.splitlines()[-1])


def test_unlike_gpus_shared_by_actors_get_their_parts_and_other_nodes_analyse(
    raylets: Raylets, tmp_path: Path
):
    """A node of cores alone, and two with a GPU each, one three times as fast, for two actors."""
    raylets.add("cores", num_cpus=2)
    raylets.add("slow", num_cpus=1, num_gpus=1, speed=1.0)
    raylets.add("fast", num_cpus=1, num_gpus=1, speed=3.0)
    job = raylets.job(videos=40, seconds=6.0, gpu_share=0.5)
    told = _told(job)
    edits = raylets.edits()
    assert set(edits) == {"slow", "fast"}
    assert [len(actors) for actors in edits.values()] == [2, 2]
    assert sum(edits["fast"]) > 1.5 * sum(edits["slow"])
    assert min(edits["slow"]) > 0
    assert raylets.outputs() == told["segments"] == 40
    assert "cores" in {path.name for path in (tmp_path / "found" / "nodes").iterdir()}


def test_a_node_that_joins_gets_rows_and_does_those_of_one_that_is_killed(raylets: Raylets):
    raylets.add("cores", num_cpus=2)
    first = raylets.add("first", num_cpus=1, num_gpus=1)
    job = raylets.job(videos=16, seconds=3.0)
    _wait(lambda: any(raylets.edits().get("first", [])), job)
    raylets.add("second", num_cpus=1, num_gpus=1)
    _wait(lambda: any(raylets.edits().get("second", [])), job)
    raylets.kill(first)
    told = _told(job)
    edits = {name: sum(actors) for name, actors in raylets.edits().items()}
    assert raylets.outputs() == told["segments"] == 16  # each once, whoever did it
    assert edits["first"] < 160
    assert edits["first"] + edits["second"] >= 160
