"""The GPU types of a cluster: nodes with the same GPU model share their plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engines.editors.magicface.backends.choose import Machine, probe_machine
from engines.interface import Cluster

A_LITTLE = 0.001
"""Of a node's GPUs: enough to see one."""


@dataclass(frozen=True)
class GpuType:
    """Nodes of a cluster with the same GPU model.

    Attributes:
        machine: what torch finds on the first of them.
        nodes: their ids.
    """

    machine: Machine
    nodes: tuple[str, ...]


def by_type(machines: Mapping[str, Machine]) -> list[GpuType]:
    """Nodes by their GPU's name and generation; Ray's own types are coarser (both A100s are one).

    Args:
        machines: node id → what was found there; nodes without a CUDA GPU are left out.
    """
    found: dict[str, list[str]] = {}
    for node, machine in sorted(machines.items()):
        if machine.sm is not None:
            found.setdefault(machine.label, []).append(node)
    return [GpuType(machines[nodes[0]], tuple(nodes)) for _, nodes in sorted(found.items())]


def look_at_nodes(cluster: Cluster) -> list[GpuType]:
    """Every GPU type of the cluster, by a short task on each GPU node."""
    nodes = cluster.gpu_nodes()
    looks = [cluster.start(probe_machine, node=node, cpus=0, gpus=A_LITTLE) for node in nodes]
    machines: dict[str, Machine] = dict(zip(nodes, cluster.results(looks), strict=True))
    for node, machine in machines.items():
        if machine.sm is None:
            cluster.say(f"node {node}: Ray counts GPUs there, torch finds none; left out")
    return by_type(machines)
