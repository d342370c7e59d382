"""Nodes that videos stay on, where nodes do not see each other's run folders."""

from __future__ import annotations

from collections import Counter
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


class Homes:
    """Gives each source a node, by cores, when its first work begins; all else of it goes there.

    Should the node go, its work ends with an error: another node would begin all over again, which
    the next run does.
    """

    def __init__(self) -> None:
        self._home: dict[str, str] = {}
        self._given: Counter[str] = Counter()

    def strategy(self, row: Any) -> NodeAffinitySchedulingStrategy:
        """Where a row's task is to run, as Ray is told."""
        return NodeAffinitySchedulingStrategy(self.of(row), soft=False)

    def of(self, row: Any) -> str:
        """The id of a row's node."""
        source = row["identity"]
        if source not in self._home:
            cores = _cores()
            self._home[source] = min(cores, key=lambda node: (self._given[node] + 1) / cores[node])
            self._given[self._home[source]] += 1
        return self._home[source]


def _cores() -> dict[str, float]:
    alive = [node for node in ray.nodes() if node["Alive"]]
    return {n["NodeID"]: n["Resources"]["CPU"] for n in alive if n["Resources"].get("CPU")}
