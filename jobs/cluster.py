"""Ray, started or joined quietly; nothing here or below reports usage to anybody."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray's own usage report
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9",  # a head started by hand reports even "off"
    "RAY_TRACK_EXTERNAL_LIBRARY_USAGE": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",  # diffusers, transformers
    "DO_NOT_TRACK": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # its C++ side otherwise writes warnings to the terminal
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # Ray's next default; the old one only warns
}

ALONE = {
    "RAY_AUTH_MODE": "disabled",  # one user, one machine, loopback
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's name for: take 127.0.0.1, look for no other
    "RAY_num_workers_soft_limit": str((os.cpu_count() or 1) + 1),  # one process beside the actors'
}
"""What a private cluster on this machine is started with."""


def be_quiet() -> None:
    """Turns reporting off for this process and every one it starts; call before importing Ray."""
    alone = {} if os.environ.get("RAY_ADDRESS") else ALONE
    for name, value in (QUIET | alone).items():
        os.environ.setdefault(name, value)


def start() -> None:
    """Joins the cluster of RAY_ADDRESS (set under `ray job submit`), else starts one here.

    The local cluster listens on loopback only.
    """
    be_quiet()
    _show_workers_this_checkout()
    ray: Any = import_module("ray")  # late: be_quiet() must come first

    if ray.is_initialized():
        return
    with warnings.catch_warnings(), _native_stderr_closed():
        warnings.simplefilter("ignore")
        if os.environ.get("RAY_ADDRESS"):
            ray.init(log_to_driver=False, logging_level=logging.WARNING)
        else:
            _start_alone(ray)


def _start_alone(ray: Any) -> None:
    """A private cluster without Ray's dashboard process.

    That process starts even with `include_dashboard=False`, and even with usage reports off it asks
    the metadata services of three clouds (169.254.169.254, metadata.google.internal) where it runs
    (Ray 2.60, usage_stats_head.py). Nothing here needs it. `tests/jobs/test_offline.py` watches.
    """
    node = import_module("ray._private.node").Node
    start_api_server = node.start_api_server

    def none(self: Any, **_: Any) -> None:
        self._webui_url = ""

    node.start_api_server = none
    try:
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    finally:
        node.start_api_server = start_api_server
    _warm_up(ray)


def _warm_up(ray: Any) -> None:
    """Lets the worker processes import the pipeline while this one does; they then serve the job.

    One more than there are cores: render actors hold one each, and the last finishes videos.
    """
    task = ray.remote(num_cpus=0)(import_pipeline)
    for _ in range((os.cpu_count() or 1) + 1):
        task.remote()


def import_pipeline() -> None:
    """What a worker needs before its first frame."""
    for module in (
        "ray.data",
        "pipeline.actors",
        "engines.trackers.mesh",
        "engines.editors.previz",
    ):
        import_module(module)


@contextmanager
def _native_stderr_closed() -> Generator[None]:
    """Ray's C++ side announces its own log level there; what goes wrong comes as an exception."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _show_workers_this_checkout() -> None:
    """Lets the workers of a local cluster import what this process imports, installed or not."""
    root = str(Path(__file__).resolve().parent.parent)
    known = os.environ.get("PYTHONPATH", "")
    if root not in known.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, known]))


def size() -> tuple[int, float]:
    """CPUs and GPUs of the whole cluster."""
    ray: Any = import_module("ray")  # late: be_quiet() must come first

    resources = ray.cluster_resources()
    return max(1, int(resources.get("CPU", 1))), float(resources.get("GPU", 0.0))
