"""What a lean start replaces of Ray, by private names: every one that the project knows is here.

They are those of Ray 2.60. Each is a gain of time, never a need: where a Ray has other names, that
part starts the ordinary way, and the log says which in one line. Ray 2.54 to 2.59 has all but the
coordinator's, whose answers had other shapes.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from typing import Any

from jobs.errors import JobError

NOT_ALONE = (
    # The dashboard starts even with `include_dashboard=False`, and even with usage reports off it
    # asks the metadata services of three clouds (169.254.169.254, metadata.google.internal) where
    # it runs (Ray 2.60, usage_stats_head.py). `tests/jobs/test_offline.py` watches.
    "start_api_server",
    "start_monitor",  # adds and removes machines
    "start_log_monitor",  # sends the workers' output to the driver, which does not show it
)
"""What starts the processes that have no use here; Ray has no switch for them."""
AGENT_PORTS = ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port")
DATA = "ray.data._internal"
AUTOSCALER = "cluster_autoscaler.rate_based_cluster_autoscaler"  # asks for resources by node
GONE = (ImportError, AttributeError)

OnGone = Callable[[str], None]


@contextmanager
def lean_start(on_gone: OnGone) -> Generator[None]:
    """Ray, started by the body, leaves out what only a cluster of several machines needs.

    Args:
        on_gone: told what this Ray does not have under the known name, and so starts as always.
    """
    with ExitStack() as stack:
        for part in (_processes_left_out, _small_agent):
            try:
                stack.enter_context(part())
            except GONE as error:
                on_gone(str(error))
        yield


def lean_data(on_gone: OnGone) -> None:
    """Ray Data, in this process from now on, starts no actors of its own; `on_gone` as above."""
    for part in (_fix_machines, _keep_no_statistics):
        try:
            part()
        except GONE as error:
            on_gone(str(error))


@contextmanager
def replaced(owner: Any, **new: Any) -> Generator[None]:
    """Puts others in the place of an owner's attributes, for a while."""
    kept = {name: getattr(owner, name) for name in new}
    for name, value in new.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(owner, name, value)


@contextmanager
def _processes_left_out() -> Generator[None]:
    def start_nothing(self: Any, *_: Any, **__: Any) -> None:
        self._webui_url = ""

    node = import_module("ray._private.node").Node
    with replaced(node, **dict.fromkeys(NOT_ALONE, start_nothing)):
        yield


@contextmanager
def _small_agent() -> Generator[None]:
    """Starts the node's agents as an install without the dashboard's packages would, on free ports.

    The full one takes 0.5 CPU-s more, serves HTTP on a fixed port that nobody asks here, and with a
    second Ray on the machine tries for 3.5 s to get that port. Agents that choose their ports
    themselves are waited for, and given up after 15 s, which a busy machine may need.
    """
    parameters: Any = import_module("ray._private.parameter").RayParams
    make = parameters.__init__

    def make_with_ports(self: Any, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        for name in AGENT_PORTS:
            setattr(self, name, _free_port())

    utils = import_module("ray._private.utils")
    not_wanted = ImportError("not wanted here")
    with (
        replaced(utils, get_dashboard_dependency_error=lambda: not_wanted),
        replaced(parameters, __init__=make_with_ports),
    ):
        yield


def _free_port() -> int:
    """A port below those that the system gives away by itself: nobody takes it meanwhile."""
    for port in random.sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise JobError("no free port found between 20000 and 32000; Ray needs three")


def _fix_machines() -> None:
    """Puts `FixedMachines` where Ray Data's autoscaler takes its coordinator from."""
    asked: Any = import_module(f"{DATA}.cluster_autoscaler").AutoscalingCoordinator
    unknown = asked.__abstractmethods__ - set(dir(FixedMachines))
    if unknown:
        raise AttributeError(f"{asked.__name__} asks for {', '.join(sorted(unknown))}")
    home: Any = import_module(f"{DATA}.{AUTOSCALER}")
    _ = home.DefaultAutoscalingCoordinator
    home.DefaultAutoscalingCoordinator = FixedMachines


def _keep_no_statistics() -> None:
    home: Any = import_module(f"{DATA}.stats")
    _ = home.get_or_create_stats_actor
    home.get_or_create_stats_actor = NoStatistics


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
