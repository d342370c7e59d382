"""The nodes of the Ray cluster, as engines see them while they get ready (engines.interface)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import isgeneratorfunction
from typing import Any

from engines.errors import EngineError


def nodes_with_gpus(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ids of the living nodes that have a GPU, in order.

    Args:
        nodes: as `ray.nodes()` tells them.
    """
    alive = [n for n in nodes if n.get("Alive")]
    return sorted(str(n["NodeID"]) for n in alive if n.get("Resources", {}).get("GPU"))


class RayNodes:
    """A `Cluster` of the Ray that this process has joined or started.

    Args:
        say: tells the person who runs the job.
        waits: the job begins only when all is there that makes it faster.
    """

    def __init__(self, say: Callable[[str], None], *, waits: bool = True) -> None:
        self._ray: Any = import_module("ray")  # late: jobs.ray_cluster.cluster sets it up
        self._say = say
        self._waits = waits

    @property
    def waits(self) -> bool:
        return self._waits

    def say(self, line: str) -> None:
        self._say(line)

    def gpu_nodes(self) -> list[str]:
        return nodes_with_gpus(self._ray.nodes())

    def this_node(self) -> str:
        return str(self._ray.get_runtime_context().get_node_id())

    def start(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        node: str,
        cpus: float,
        gpus: float,
        **named: Any,
    ) -> Any:
        has = next(n["Resources"] for n in self._ray.nodes() if n["NodeID"] == node)
        strategies: Any = import_module("ray.util.scheduling_strategies")
        task = self._ray.remote(function).options(
            scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=False),
            num_cpus=min(cpus, has.get("CPU", 0.0)),
            num_gpus=gpus if has.get("GPU") else 0.0,
            **({"num_returns": "streaming"} if isgeneratorfunction(function) else {}),
        )
        return task.remote(*arguments, **named)

    def results(self, handles: Sequence[Any]) -> list[Any]:
        try:
            return self._ray.get(list(handles))
        except self._ray.exceptions.RayError as error:  # its text is a traceback
            cause = getattr(error, "cause", None) or error
            if isinstance(cause, EngineError) and cause is not error:
                raise cause from None
            told = next(iter(str(cause).strip().splitlines()), "")
            raise EngineError(
                f"a task of the cluster failed: {type(cause).__name__}: {told}"
            ) from None
