"""A cluster of which one node has a disk of its own is found out before the work."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import psutil
import pytest

from jobs.ray_cluster.shared_storage import problems_here
from pipeline.rows import stage_row

ROOT = Path(__file__).resolve().parents[2]


def test_a_node_tells_what_it_sees_otherwise_than_the_driver(tmp_path: Path):
    (clip := tmp_path / "clip.mp4").write_bytes(b"12345")
    (token := tmp_path / "token.probe").write_text("ours")
    assert problems_here({str(token): "ours"}, {str(clip): 5}) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "token.probe"]
    gone = tmp_path / "gone"
    told = problems_here(
        {str(token): "another", f"{gone}/token": "x"}, {str(clip): 6, f"{gone}": 1}
    )
    assert told == [
        f"{tmp_path}: is another folder there than here",
        f"{gone}: is not this machine's folder there",
        f"{clip}: has 5 bytes there and 6 here",
        f"{gone}: cannot be seen there: No such file or directory",
    ]


RAY = str(Path(sys.executable).with_name("ray"))


@contextmanager
def node(*arguments: str, before: str = "true") -> Iterator[None]:
    """A Ray node of this machine in a mount namespace of its own, which a command prepares."""
    start = f"{before} && exec {RAY} start --block --num-cpus 1 {' '.join(arguments)}"
    with subprocess.Popen(
        ["unshare", "-m", "sh", "-c", start],
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        try:
            said = []
            while "Ray runtime started." not in (line := process.stdout.readline()):
                said.append(line)
                assert line, "".join(said)
            yield
        finally:
            for one in (*psutil.Process(process.pid).children(recursive=True), process):
                one.kill()


def _environment(**more: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    quiet = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    return {**inherited, **quiet, "PYTHONPATH": str(ROOT), **more}


HIDDEN = {
    "out": "is not this machine's folder there",
    "work": "is not this machine's folder there",
    "footage": "cannot be seen there: No such file or directory",
}
"""Folders of a job → what is said where a node has a disk of its own there."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_node_with_a_disk_of_its_own_is_named_with_the_path_before_the_work(
    demo: Path, tmp_path: Path
):
    """A job per kind of folder: the second node sees an empty disk over that one."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a node a disk of its own")
    for job in HIDDEN:
        for name in HIDDEN:
            (tmp_path / job / name).mkdir(parents=True)
        shutil.copy2(demo, tmp_path / job / "footage/talk.mp4")
    hide = " && ".join(f"mount -t tmpfs none {tmp_path / name / name}" for name in HIDDEN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    head = ("--head", "--port", address.rpartition(":")[2], "--include-dashboard=false")
    temporary = Path(f"/tmp/aureel-ray-{os.getpid()}")
    try:
        with (
            node(*head, "--temp-dir", str(temporary)),
            node("--address", address, before=hide),
        ):
            for hidden, says in HIDDEN.items():
                line = _refused(tmp_path / hidden, address)
                assert f"{tmp_path / hidden / hidden}" in line
                assert says in line
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "talk.mp4"] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_without_a_shared_run_folder_videos_from_a_store_stay_on_their_nodes(
    demo: Path, tmp_path: Path, bucket: Callable[..., str]
):
    if os.geteuid() != 0:
        pytest.skip("only root can give a node a disk of its own")
    store: Any = fsspec.filesystem("s3", use_listings_cache=False)
    for number in range(4):
        store.put_file(str(demo), bucket("in", f"{number}.mp4"))
    work, caches = tmp_path / "work", tmp_path / "cache"
    work.mkdir()
    caches.mkdir(exist_ok=True)
    hide = f"mount -t tmpfs none {work} && mount -t tmpfs none {caches}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    head = ("--head", "--port", address.rpartition(":")[2], "--include-dashboard=false")
    temporary = Path(f"/tmp/aureel-ray-{os.getpid()}")
    call = [sys.executable, str(ROOT / "jobs/animate.py"), "--curve", "smile", "--work", str(work)]
    call += ["--input", bucket("in") + "/", "--output", bucket("out") + "/", "--editor"]
    try:
        with (
            node(*head, "--temp-dir", str(temporary)),
            node("--address", address, before=hide),
        ):
            made = _called([*call, "identity"], address)
            again = _called([*call, "identity"], address)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    assert made.returncode == 0, made.stdout + made.stderr
    assert (
        f"each video stays on the node that begins it: the nodes do not share {work}" in made.stdout
    )
    assert len([n for n in store.find(bucket("out")) if n.endswith(".mp4")]) == 4
    here = list(work.glob("*/analysis-*.parquet"))
    assert 0 < len(here) < 4, "one node has done it all"
    assert again.stdout.count("skipped") == 4


def _called(call: list[str], address: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        call,
        env=_environment(RAY_ADDRESS=address),
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


def _refused(job: Path, address: str) -> str:
    """The one line of a call in a job's folders on a cluster that cannot make it."""
    call = [sys.executable, str(ROOT / "jobs/animate.py"), "--curve", "smile", "--editor", "previz"]
    call += ["--input", str(job / "footage/talk.mp4"), "--output", f"{job}/out/"]
    done = subprocess.run(
        [*call, "--work", str(job / "work")],
        env=_environment(RAY_ADDRESS=address),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "animate: node " in done.stderr
    assert "storage that all nodes share" in done.stderr
    return done.stderr


def test_an_output_that_only_a_node_sees_is_not_done(tmp_path: Path, monkeypatch):
    import jobs.animation.run as running

    monkeypatch.setattr(running, "VISIBLE_S", 0)
    row, video = stage_row("v", "finish"), {"output": str(tmp_path / "o.mp4")}
    told = running.as_seen_here(row, video)  # type: ignore[arg-type]
    assert "a node published it, and this machine does not see it" in told["error"]
    (tmp_path / "o.mp4").touch()
    monkeypatch.setattr(running, "VISIBLE_S", 1)
    assert running.as_seen_here(row, video) == row  # type: ignore[arg-type]
