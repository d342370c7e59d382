"""A private Ray starts fewer processes, and Ray Data still knows what the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.ray_cluster import lone_machine

pytestmark = pytest.mark.usefixtures("ray_here")


def test_what_is_replaced_is_there_in_the_ray_installed_here():
    node = import_module("ray._private.node").Node
    assert [name for name in lone_machine.NOT_ALONE if not hasattr(node, name)] == []
    assert hasattr(import_module("ray._private.utils"), "get_dashboard_dependency_error")
    assert hasattr(import_module(lone_machine.STATISTICS), "get_or_create_stats_actor")
    parameters = import_module("ray._private.parameter").RayParams()
    assert [name for name in lone_machine.AGENT_PORTS if not hasattr(parameters, name)] == []
    base = import_module("ray.data._internal.cluster_autoscaler").AutoscalingCoordinator
    assert base.__abstractmethods__ <= set(dir(lone_machine.FixedMachines))


def test_everything_the_machine_has_may_be_used():
    import ray

    (resources,) = lone_machine.FixedMachines().get_reserved_resources().values()
    assert resources["CPU"] == ray.cluster_resources()["CPU"] >= 1


def test_no_process_runs_that_only_a_larger_cluster_needs():
    import ray
    import ray.data
    from ray.util import list_named_actors

    rows = ray.data.from_items([1, 2, 3]).map(lambda row: {"item": row["item"] + 1}).take_all()
    assert sorted(row["item"] for row in rows) == [2, 3, 4]
    actors: list[Any] = list_named_actors(all_namespaces=True)
    named = {actor["name"] for actor in actors}
    assert named & {"AutoscalingCoordinator", "datasets_stats_actor"} == set()
    lines = [" ".join(p.cmdline()) for p in psutil.Process().children(recursive=True)]
    assert any("raylet" in line for line in lines)
    assert [x for x in lines if "dashboard.py" in x or "monitor.py" in x] == []


def test_another_user_can_neither_read_nor_speak_to_this_ray(ray_here: None):
    """As uid 65534: the folder is shut, and Ray answers nobody without the token."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    import ray

    folder = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "token").stat().st_mode & 0o777 == 0o600
    address = ray.get_runtime_context().gcs_address
    code = f"""
import encodings.idna, grpc, grpc._channel, os, sys, traceback
os.setuid(65534)
try:
    os.listdir({str(folder)!r})
    sys.exit("could read its folder")
except PermissionError:
    pass
channel = grpc.insecure_channel({address!r})
call = channel.unary_unary("/ray.rpc.NodeInfoGcsService/GetAllNodeInfo")
try:
    call(b"", timeout=10)
    sys.exit("was answered")
except grpc.RpcError as error:
    print(error.code().name)
"""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=clean, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "UNAUTHENTICATED"


def test_a_long_tmpdir_is_passed_by(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    folder = lone_machine._new_folder()
    assert len(str(folder.parent)) <= lone_machine.LONGEST_BASE
    folder.rmdir()
