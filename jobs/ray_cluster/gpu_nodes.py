"""The GPU nodes of a Ray cluster, told apart by what torch finds on each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from engines.editors.magicface.backends.choose import Machine, look_around
from engines.errors import EngineError

Say = Callable[[str], None]
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


def nodes_with_gpus(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ids of the living nodes that have a GPU, in order.

    Args:
        nodes: as `ray.nodes()` tells them.
    """
    alive = [n for n in nodes if n.get("Alive")]
    return sorted(str(n["NodeID"]) for n in alive if n.get("Resources", {}).get("GPU"))


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


def look_at_nodes(ray: Any, *, say: Say) -> list[GpuType]:
    """Every GPU type of the cluster, by a short task on each GPU node."""
    nodes = nodes_with_gpus(ray.nodes())
    looks = [
        ray.remote(look_around).options(**on_node(node), num_gpus=A_LITTLE).remote()
        for node in nodes
    ]
    machines: dict[str, Machine] = dict(zip(nodes, fetched(ray, looks), strict=True))
    for node, machine in machines.items():
        if machine.sm is None:
            say(f"node {node}: Ray counts GPUs there, torch finds none; left out")
    return by_type(machines)


def on_node(node: str) -> dict[str, Any]:
    """Options that place a task on a node."""
    strategies: Any = import_module("ray.util.scheduling_strategies")
    strategy = strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=False)
    return {"scheduling_strategy": strategy}


def fetched(ray: Any, refs: Any) -> Any:
    """What tasks gave.

    Raises:
        EngineError: what a task raised, as it was there; what Ray says of a task that was lost.
    """
    try:
        return ray.get(refs)
    except ray.exceptions.RayError as error:  # its text is a traceback
        cause = getattr(error, "cause", None) or error
        if isinstance(cause, EngineError) and cause is not error:
            raise cause from None
        told = next(iter(str(cause).strip().splitlines()), "")
        raise EngineError(f"a task of the cluster failed: {type(cause).__name__}: {told}") from None
