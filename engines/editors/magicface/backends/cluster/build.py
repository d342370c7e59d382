"""Plans on a Ray cluster: built once per GPU type, then copied to every node with that type.

An actor that built its own plans would repeat minutes of work on every node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.editors.magicface.backends.build_request import BuildRequest
from engines.editors.magicface.backends.builders import planned, targeted
from engines.editors.magicface.backends.choose import probe_machine
from engines.editors.magicface.backends.cluster import tasks
from engines.editors.magicface.backends.cluster.gpu_types import GpuType, look_at_nodes
from engines.errors import EngineError
from engines.interface import Cluster

BUILD_CPUS = 0
"""Of Ray's count, so that it begins at once: it shares every core with the job's own work."""


@dataclass(frozen=True)
class Build:
    """The plans that one GPU type lacks.

    Attributes:
        request, backend: what is to be built.
        held: node → whether its store has all of it.
    """

    cluster: Cluster
    gpu: GpuType
    cache: Path | None
    request: BuildRequest
    backend: str
    held: dict[str, bool]

    @property
    def label(self) -> str:
        return self.gpu.machine.label if self.gpu.nodes else "no GPU node"

    @property
    def is_whole(self) -> bool:
        """Whether no node lacks anything."""
        return all(self.held.values())

    @property
    def needs_the_gpu(self) -> bool:
        """Classic TensorRT builds on the GPU itself; for RTX and for a copy none is needed."""
        return self.backend == "tensorrt" and not any(self.held.values())

    @property
    def source(self) -> str:
        """The node that builds, or has built."""
        return next((node for node, has in self.held.items() if has), next(iter(self.held)))

    @property
    def needy(self) -> list[str]:
        """The nodes that need a copy."""
        return [n for n, has in self.held.items() if not has and n != self.source]

    def say(self, line: str) -> None:
        self.cluster.say(f"{self.label}: {line}")

    def run(self) -> int:
        """Build what is missing and copy it to all; the number of plans that were copied."""
        if self.is_whole:
            where = f"on all of {len(self.gpu.nodes)}" if self.gpu.nodes else "here"
            self.say(f"plans found {where}")
            return 0
        gpus = 1.0 if self.needs_the_gpu else 0.0
        return sum(map(self._spread, self._building(gpus, packed=bool(self.needy))))

    def run_beside_actors(self, wait_s: Callable[[], bool]) -> int:
        """The same while the GPUs render: of classic TensorRT only the graphs are made here.

        The first actor that meets them builds the plans on its own GPU, between two segments.

        Args:
            wait_s: waits a little for those plans; False = no longer.
        """
        if not self.needs_the_gpu:
            return self.run()
        for step in self._building(0.0, graphs_only=True):
            self._spread(step)
        self.say("its plans are built on the GPU itself, between two segments")
        while self.needy and not self._is_held():
            if not wait_s():
                return 0
        if not self.needy:
            return 0
        arguments = (self.request, self.backend, self.cache)
        packed = self.cluster.start(
            tasks.packed_plans, *arguments, node=self.source, cpus=0, gpus=0
        )
        return sum(map(self._spread, packed))

    def _building(self, gpus: float, **how: bool) -> Any:
        return self.cluster.start(
            tasks.build_all,
            *(self.request, self.backend, self.cache),
            **how,
            node=self.source,
            cpus=BUILD_CPUS,
            gpus=gpus,
        )

    def _is_held(self) -> bool:
        arguments = (self.request, self.backend, self.cache)
        handle = self.cluster.start(tasks.holds, *arguments, node=self.source, cpus=0, gpus=0)
        return bool(self.cluster.results([handle])[0])

    def _spread(self, step: Any) -> int:
        """One step of the build to the nodes that lack it; the driver never holds the bytes."""
        line = self._start(tasks.line_of, step, node=self.source)
        made = [self._start(tasks.install, step, self.cache, node=node) for node in self.needy]
        told, *installed = self.cluster.results([line, *made])
        new = sum(map(bool, installed))
        self.say(f"{told}" + (f"; copied to {new} more" if new else ""))
        return new

    def _start(self, function: Any, *arguments: Any, node: str) -> Any:
        return self.cluster.start(function, *arguments, node=node, cpus=0, gpus=0)


def build_on_cluster(
    wanted: BuildRequest, backend: str, asked_sm: int | None, cache: Path | None, cluster: Cluster
) -> int:
    """Build for every GPU type there is, or for one named generation, and copy to the GPU nodes.

    Args:
        wanted: without a target; its weights named, so that each node finds its own.
        asked_sm: None = whatever GPUs the cluster has. A cluster without GPUs builds for it on the
            node this runs on.
        cache: the store's root on every node; None = each node's default.
    Returns:
        Plans that were copied to a node that did not have them.
    Raises:
        EngineError: no GPU in the cluster and no target named; what a build raised.
    """
    return sum(b.run() for b in builds_for(wanted, backend, asked_sm, cache, cluster))


def builds_for(
    wanted: BuildRequest, backend: str, asked_sm: int | None, cache: Path | None, cluster: Cluster
) -> list[Build]:
    """What `build_on_cluster` would do, per GPU type: the nodes were looked at, nothing is built.

    Raises:
        EngineError: no GPU in the cluster and no target named; nothing there builds for them.
    """
    if backend == "onnxruntime":
        raise EngineError("--cluster builds plans; got --backend onnxruntime, which has none")
    wanted = wanted.travelling()
    types = look_at_nodes(cluster)
    if asked_sm is None and not types:
        raise EngineError(
            "--target auto: no node of the Ray cluster has a GPU that torch finds; name the GPU to "
            "build for, e.g. --target sm89"
        )
    found: list[Build] = []
    for gpu in types or [GpuType(probe_machine("cpu"), ())]:
        if asked_sm is not None and gpu.nodes and gpu.machine.sm != asked_sm:
            cluster.say(f"{gpu.machine.label}: not SM{asked_sm}; left out")
            continue
        found.append(_build_for(gpu, wanted, backend, asked_sm, cache, cluster))
    return found


def _build_for(
    gpu: GpuType,
    wanted: BuildRequest,
    backend: str,
    asked_sm: int | None,
    cache: Path | None,
    cluster: Cluster,
) -> Build:
    machine = gpu.machine
    name, sm = planned(backend, asked_sm, machine)
    request = targeted(wanted, name, sm, machine)
    nodes = gpu.nodes or (cluster.this_node(),)
    arguments = (request, name, cache)
    looks = [cluster.start(tasks.holds, *arguments, node=n, cpus=0, gpus=0) for n in nodes]
    held = dict(zip(nodes, cluster.results(looks), strict=True))
    return Build(cluster, gpu, cache, request, name, held)
