"""A private Ray starts fewer processes, and Ray Data still knows what the machine has."""

from __future__ import annotations

from importlib import import_module
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
