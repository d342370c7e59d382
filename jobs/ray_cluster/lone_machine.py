"""Ray on this machine alone: started without what only a cluster of several machines needs.

A preview of a 15 s clip spends a quarter of its time starting processes, so each that can be left
out counts: one of Ray's own takes 0.5–1.1 CPU-s before it does anything. What is replaced here are
private names of Ray 2.60; tests/jobs/test_lone_machine.py says when one of them is gone.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from jobs.errors import JobError
from pipeline.files import ABANDONED_S, is_running

SETTINGS = {
    "RAY_AUTH_MODE": "token",  # loopback is open to every user of the machine
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's name for: take 127.0.0.1, look for no other
    "RAY_num_workers_soft_limit": str((os.cpu_count() or 1) + 1),  # one process beside the busy
    # Frames and crops are freed and asked for again at once: giving their pages back to the system
    # in between takes 6 % of a preview's CPU time.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 28),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 28),
    "MALLOC_ARENA_MAX": "2",  # or each segment's new threads keep memory of their own: 30 MiB more
}
"""Environment of the machine's Ray."""

NOT_ALONE = (
    # The dashboard starts even with `include_dashboard=False`, and even with usage reports off it
    # asks the metadata services of three clouds (169.254.169.254, metadata.google.internal) where
    # it runs (Ray 2.60, usage_stats_head.py). `tests/jobs/test_offline.py` watches.
    "start_api_server",
    "start_monitor",  # adds and removes machines
    "start_log_monitor",  # sends the workers' output to the driver, which does not show it
)
"""What starts the processes that have no use here; Ray has no switch for them."""
FOLDER = "aureel-"
LONGEST_BASE = 24
"""Bytes in the path of the folder that holds Ray's: a socket's path may have 107."""
AGENT_PORTS = ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port")
AUTOSCALER = "ray.data._internal.cluster_autoscaler.rate_based_cluster_autoscaler"
STATISTICS = "ray.data._internal.stats"


def start_ray(ray: Any) -> None:
    """Starts a Ray that ends with this process, listens on loopback only, and is this user's alone.

    Its folder can be entered by nobody else, and who speaks to it must know a token from there.
    """
    folder = private_folder()
    with _left_out(import_module("ray._private.node").Node), _small_agent():
        ray.init(
            address="local",
            _temp_dir=str(folder / "r"),  # which Ray opens to everybody, inside ours
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    _warm_up(ray)
    with suppress(ImportError):  # another Ray's way: it then only starts later
        autoscaler: Any = import_module(AUTOSCALER)
        autoscaler.DefaultAutoscalingCoordinator = FixedMachines
        statistics: Any = import_module(STATISTICS)
        statistics.get_or_create_stats_actor = NoStatistics


@cache
def private_folder() -> Path:
    """This process's folder for Ray, with its token: Ray keeps the first one it has read."""
    folder = _new_folder()
    _keep_token(folder)
    return folder


def _new_folder() -> Path:
    """A new folder for Ray's files and sockets, 0700; those of dead runs are removed.

    Raises:
        JobError: no place has a path short enough for Ray's sockets.
    """
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/dev/shm")]
    for place in places:
        if len(os.fsencode(place)) > LONGEST_BASE or not os.access(place, os.W_OK | os.X_OK):
            continue
        _sweep(place)
        folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-", dir=place))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
    raise JobError(
        f"TMPDIR {places[0]}: too long for Ray's sockets; expected a folder that can be written, "
        f"of {LONGEST_BASE} bytes at most"
    )


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{FOLDER}*-*"):
        pid = folder.name.removeprefix(FOLDER).partition("-")[0]
        if not pid.isdigit() or is_running(int(pid)):
            continue
        with suppress(OSError):
            status = folder.stat()
            is_old = time.time() - status.st_mtime > ABANDONED_S  # maybe another container's pid
            if status.st_uid == os.getuid() and is_old:
                shutil.rmtree(folder, ignore_errors=True)


def _keep_token(folder: Path) -> None:
    """A random token in a file that only this user can read, for this process and its children."""
    path = folder / "token"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(path)


@contextmanager
def _left_out(node: Any) -> Generator[None]:
    kept = {name: getattr(node, name) for name in NOT_ALONE}

    def start_nothing(self: Any, **_: Any) -> None:
        self._webui_url = ""

    for name in NOT_ALONE:
        setattr(node, name, start_nothing)
    try:
        yield
    finally:
        for name, starter in kept.items():
            setattr(node, name, starter)


@contextmanager
def _small_agent() -> Generator[None]:
    """Starts the node's agents as an install without the dashboard's packages would, on free ports.

    The full one takes 0.5 CPU-s more, serves HTTP on a fixed port that nobody asks here, and with a
    second Ray on the machine tries for 3.5 s to get that port. Agents that choose their ports
    themselves are waited for, and given up after 15 s, which a busy machine may need.
    """
    utils: Any = import_module("ray._private.utils")
    parameters: Any = import_module("ray._private.parameter").RayParams
    kept, make = utils.get_dashboard_dependency_error, parameters.__init__

    def make_with_ports(self: Any, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        for name in AGENT_PORTS:
            setattr(self, name, _free_port())

    utils.get_dashboard_dependency_error = lambda: ImportError("not wanted here")
    parameters.__init__ = make_with_ports
    try:
        yield
    finally:
        utils.get_dashboard_dependency_error = kept
        parameters.__init__ = make


def _free_port() -> int:
    """A port below those that the system gives away by itself: nobody takes it meanwhile."""
    for port in random.sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise JobError("no free port found between 20000 and 32000; Ray needs three")


def count_gpus() -> float | None:
    """GPUs that Ray would count on this machine; None where this Ray has another way to count."""
    try:
        spec: Any = import_module("ray._private.resource_and_label_spec").ResourceAndLabelSpec
        told = spec._load_env_resources().get("GPU")
        manager, count = spec._get_current_node_accelerator(told, {})
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    return float(count) if manager and manager.get_resource_name() == "GPU" else float(told or 0)


def _warm_up(ray: Any) -> None:
    """Lets the worker processes, which then serve the job, import the pipeline meanwhile."""
    task = ray.remote(import_pipeline)
    for _ in range(os.cpu_count() or 1):
        task.remote()


def import_pipeline() -> None:
    """What a worker needs before its first frame."""
    for module in (
        "ray.data",
        "pipeline.actors",
        "engines.trackers.mesh.tracker",
        "engines.editors.plate.editor",
    ):
        import_module(module)


class FixedMachines:
    """Tells Ray Data what there is, in place of its autoscaling coordinator.

    That one is a process of its own, and its first answer comes after each dataset has begun: with
    nothing to spend, a dataset runs one task for its first second.
    """

    def __init__(self, **_: Any) -> None:
        """Who asks, and for which machines, changes nothing."""

    def request_resources(self, *_: Any, **__: Any) -> None:
        """No machine will come."""

    def cancel_request(self) -> None:
        """None was asked for."""

    def get_reserved_resources(self) -> dict[str, dict[str, float]]:
        """Everything, by node."""
        ray: Any = import_module("ray")
        return {node["NodeID"]: dict(node["Resources"]) for node in ray.nodes() if node["Alive"]}


class NoStatistics:
    """Stands where Ray Data's actor for its dashboard would: takes every call and keeps nothing."""

    def __getattr__(self, name: str) -> NoStatistics:
        return self

    def remote(self, *_: Any, **__: Any) -> None:
        """What any of the actor's methods gives."""
