"""The job on a cluster that was started by hand, and after a power cut. Slow: `make test-slow`."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engines.editors.magicface.backends.ports import COMPONENTS
from engines.trt.store.cache import PlanCache
from pipeline.demo.clip import make_demo_clip
from pipeline.media.read.inspection import inspect_video
from tests.jobs.killing import (
    ANIMATE,
    environment_with,
    kill_when,
    marked,
    markers,
    planned_and_committed,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """Address of the dashboard of a head node that only this test uses."""
    temporary, dashboard = Path(f"/tmp/aureel-ray-{os.getpid()}"), free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9",
    }
    head = [BIN / "ray", "start", "--head", "--block", "--num-cpus", "2"]
    head += ["--port", str(free_port()), "--dashboard-port", str(dashboard)]
    head += ["--dashboard-host", "127.0.0.1", "--temp-dir", str(temporary)]
    with subprocess.Popen(head, env=environment, stdout=subprocess.DEVNULL) as process:
        wait_for(lambda: is_open(dashboard), 60)
        yield f"http://127.0.0.1:{dashboard}"
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
    shutil.rmtree(temporary, ignore_errors=True)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)


def submit(
    address: str, copy: Path, *arguments: str, script: str = "animate.py"
) -> subprocess.CompletedProcess:
    command = [BIN / "ray", "job", "submit", "--address", address, "--working-dir", str(copy)]
    for _ in range(30):
        done = subprocess.run(
            [*command, "--", "python", f"jobs/{script}", *arguments],
            env={**os.environ, "RAY_AUTH_MODE": "disabled"},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        if "No available agent" not in done.stdout + done.stderr:
            return done
        time.sleep(2)  # the head answers before its agent does
    raise AssertionError("the cluster's agent never came up")


def copy_rooms(copy: Path) -> Path:
    for room in ("keyframes", "engines", "pipeline", "jobs"):
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_a_submitted_job_writes_where_it_was_told_and_refuses_what_would_vanish(
    cluster: str, demo: Path, tmp_path: Path
):
    copy = copy_rooms(tmp_path / "checkout")
    shutil.copy2(demo, copy / "talk.mp4")
    call = ("--curve", "smile.yaml", "--editor", "previz", "--input", "talk.mp4")
    made = submit(cluster, copy, *call, "--output", str(tmp_path / "out") + "/")
    assert made.returncode == 0, made.stdout + made.stderr
    assert inspect_video(str(tmp_path / "out/talk.smile.mp4")).frames == 50
    refused = submit(cluster, copy, *call)
    assert refused.returncode == 1
    assert "would be deleted with it" in refused.stdout


def test_submitted_engines_are_built_into_the_store_and_then_found(cluster: str, tmp_path: Path):
    pytest.importorskip("tensorrt_rtx")
    from engines.editors.magicface.bench.weights import write_weights

    copy, weights, store = (
        copy_rooms(tmp_path / "checkout"),
        tmp_path / "weights",
        tmp_path / "store",
    )
    write_weights(weights)
    call = ("--weights", str(weights), "--target", "sm89", "--batch", "2", "--cache", str(store))
    made = submit(cluster, copy, *call, script="build_engines.py")
    assert made.returncode == 0, made.stdout + made.stderr
    for component in COMPONENTS:
        assert f"no GPU node: made {component} plan in " in made.stdout
    engines = {e.component: e for e in PlanCache(store).entries() if e.kind == "plan"}
    assert set(engines) == set(COMPONENTS)
    for entry in engines.values():
        assert entry.facts["target"] == "sm89"
        assert entry.faults(hashes=True) == []
    again = submit(cluster, copy, *call, script="build_engines.py")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "no GPU node: plans found here" in again.stdout
    assert "made" not in again.stdout
    refused = submit(cluster, copy, *call[:2], script="build_engines.py")
    assert refused.returncode == 1
    assert "--target auto: no node of the Ray cluster has a GPU" in refused.stdout


def test_after_a_power_cut_only_the_missing_pieces_are_made(tmp_path: Path):
    clip = make_demo_clip(tmp_path / "long.mp4", seconds=24.0)
    output, marks = tmp_path / "out" / "long.smile.mp4", tmp_path / "marks"
    call = ("--curve", "smile", "--editor", "tests.fakes:MarkedEditor", "--input", str(clip))
    call += ("--output", str(output))
    environment = environment_with(marks)
    kill_when(call, environment, lambda: bool(markers(tmp_path)))
    planned, committed = planned_and_committed(tmp_path)
    assert not output.exists()
    assert 0 < len(committed) < len(planned)
    wanted = marked(marks)
    marks.write_text("")
    subprocess.run(
        [*ANIMATE, *call], env=environment, check=True, stdout=subprocess.DEVNULL, timeout=300
    )
    made_again = marked(marks)
    assert made_again
    assert not made_again & committed
    assert committed & wanted, "what was committed was never edited"
    (video,) = json.loads((output.parent / "report.json").read_text())["videos"]
    assert video["status"] == "done"
    assert "analyse" not in video["stages"]
    before, after = inspect_video(str(clip)), inspect_video(str(output))
    assert after.times_s.tolist() == before.times_s.tolist()
