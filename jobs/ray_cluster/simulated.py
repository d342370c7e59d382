"""A cluster of several raylets on this machine, with pretended GPUs and cores: for measurements."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from jobs.ray_cluster import cluster, lone_machine


@contextmanager
def simulated(gpus: int, nodes: int, cores: int) -> Generator[None]:
    """Ray for the body: one raylet as any job starts it, or a head and further raylets.

    Args:
        gpus, cores: of all nodes together; they share them as evenly as that goes.
    """
    if nodes > 1:
        with _raylets(_shares(gpus, nodes), _shares(cores, nodes)):
            yield
        return
    os.environ["RAY_OVERRIDE_RESOURCES"] = f'{{"GPU": {gpus}, "CPU": {cores}}}'
    cluster.start()
    try:
        yield
    finally:
        cluster.leave()
        del os.environ["RAY_OVERRIDE_RESOURCES"]


def _shares(whole: int, parts: int) -> list[int]:
    return [whole // parts + (part < whole % parts) for part in range(parts)]


@contextmanager
def _raylets(gpus: list[int], cores: list[int]) -> Generator[None]:
    cluster.be_quiet()
    lone_machine.private_folder()  # with the token that all of them must know
    cluster.show_workers_this_checkout()
    ray: Any = import_module("ray")
    made: Any = import_module("ray.cluster_utils")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first: dict[str, Any] = {"num_gpus": gpus[0], "num_cpus": cores[0]}
        raylets = made.Cluster(
            initialize_head=True, head_node_args={**first, "include_dashboard": False}
        )
        try:
            for more in zip(gpus[1:], cores[1:], strict=True):
                raylets.add_node(num_gpus=more[0], num_cpus=more[1])
            ray.init(address=raylets.address, log_to_driver=False, logging_level=logging.ERROR)
            yield
        finally:
            ray.shutdown()
            raylets.shutdown()
