"""A private Ray starts fewer processes, and Ray Data still knows what the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from jobs.ray_cluster import lean, lone_machine

pytestmark = pytest.mark.usefixtures("ray_here")
newest = pytest.mark.skipif(
    version("ray") < "2.60", reason="this Ray's coordinator answers in another shape"
)


@newest
def test_all_that_a_lean_start_replaces_is_there_in_the_ray_installed_here():
    gone: list[str] = []
    with lean.lean_start(gone.append):
        parameters = import_module("ray._private.parameter").RayParams()
    lean.lean_data(gone.append)
    assert gone == []
    assert [name for name in lean.AGENT_PORTS if not hasattr(parameters, name)] == []


def test_what_was_replaced_for_the_start_is_put_back():
    names = ("ray._private.node", "Node"), ("ray._private.parameter", "RayParams")
    owners = [getattr(import_module(module), name) for module, name in names]
    before = [dict(vars(owner)) for owner in owners]
    with lean.lean_start(pytest.fail):
        assert [dict(vars(owner)) for owner in owners] != before
    assert [dict(vars(owner)) for owner in owners] == before


def test_a_ray_with_other_names_starts_the_ordinary_way_and_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(lean, "NOT_ALONE", (*lean.NOT_ALONE, "start_something_new"))
    monkeypatch.setattr(lean, "AUTOSCALER", "cluster_autoscaler.of_tomorrow")
    node: Any = import_module("ray._private.node").Node
    ordinary = node.start_monitor
    gone: list[str] = []
    with lean.lean_start(gone.append):
        assert node.start_monitor is ordinary
    lean.lean_data(gone.append)
    start, data = gone
    assert "start_something_new" in start
    assert data


def test_one_line_of_the_log_says_why_a_ray_starts_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    started: list[dict[str, Any]] = []
    ray = SimpleNamespace(
        __version__="9.1",
        init=lambda **settings: started.append(settings),
        remote=lambda _: SimpleNamespace(remote=lambda: None),
        cluster_resources=dict,
    )
    monkeypatch.setattr(lean, "NOT_ALONE", ("start_something_new",))
    lone_machine.start_ray(ray)
    assert [settings["address"] for settings in started] == ["local"]
    (line,) = caplog.messages
    assert line.startswith("Ray 9.1 starts the ordinary way, up to 3 s later: ")
    assert "start_something_new" in line


@newest
def test_a_coordinator_that_is_asked_for_more_is_left_in_its_place(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delattr(lean.FixedMachines, "cancel_request")
    gone: list[str] = []
    lean.lean_data(gone.append)
    assert gone == ["AutoscalingCoordinator asks for cancel_request"]


@newest
def test_everything_the_machine_has_may_be_used():
    import ray

    (resources,) = lean.FixedMachines().get_reserved_resources().values()
    assert resources["CPU"] == ray.cluster_resources()["CPU"] >= 1


@newest
def test_no_process_runs_that_only_a_larger_cluster_needs():
    import ray
    import ray.data
    from ray.util import list_named_actors

    lean.lean_data(pytest.fail)
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
