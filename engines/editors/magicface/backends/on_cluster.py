"""Engines on a Ray cluster: built once per GPU type, then copied to every node with that type.

An actor that built its own engine would repeat a minute of work on every node, and classic
TensorRT would do so while it holds a GPU that should be rendering.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.editors.magicface.backends.build_request import BuildRequest, check_buildable
from engines.editors.magicface.backends.builders import planned
from engines.editors.magicface.backends.choose import Machine, probe_machine
from engines.editors.magicface.backends.find import held_plan
from engines.editors.magicface.backends.ports import COMPONENTS
from engines.editors.magicface.folders import WeightFolders, locate_weights, native_size
from engines.editors.magicface.settings import MagicFaceSettings
from engines.errors import EngineError
from engines.interface import Cluster
from engines.trt.binding import MODULES, import_binding
from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import CacheEntry
from engines.trt.store.key import BatchProfile

if TYPE_CHECKING:
    from engines.editors.magicface.backends.plan_builder import Prepared

BUILD_CPUS = 2
"""For a build; a node with fewer gives what it has."""
A_LITTLE = 0.001
"""Of a node's GPUs: enough to see one."""


@dataclass(frozen=True)
class BuildStep:
    """One step of a build: a line for people, and a plan's files when one is ready.

    Attributes:
        plan: the plan's folder in a store; "" where there is only a line.
    """

    line: str
    plan: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


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


def build_before_actors(asked: MagicFaceSettings, cluster: Cluster) -> None:
    """The plans that actors of the editor will look for, built before they start.

    Nothing happens where the settings ask for another backend, for fp32 or for the CPU. With
    `backend=auto`, what cannot be built is said, and the actors choose for themselves.

    Raises:
        EngineError: a TensorRT asked for by name cannot serve this cluster.
    """
    if asked.backend not in {"auto", *MODULES} or asked.dtype == "fp32" or asked.device == "cpu":
        return
    try:
        folders = locate_weights(asked.weights, asked.base)
        dtype = "fp16" if asked.dtype == "auto" else asked.dtype
        batch = BatchProfile(1, asked.batch, asked.batch)
        wanted = BuildRequest(folders, dtype, asked.size or native_size(folders), batch)
        build_on_cluster(wanted, asked.backend, None, None, cluster)
    except EngineError as error:
        if asked.backend != "auto":
            raise
        cluster.say(f"no TensorRT plans were built: {error}")


def build_on_cluster(
    wanted: BuildRequest, backend: str, asked_sm: int | None, cache: Path | None, cluster: Cluster
) -> int:
    """Build for every GPU type there is, or for one named generation, and copy to the GPU nodes.

    Args:
        wanted: without a target; weights must be readable under the same path on every node.
        asked_sm: None = whatever GPUs the cluster has. A cluster without GPUs builds for it on the
            node this runs on.
        cache: the store's root on every node; None = each node's default.
    Returns:
        Plans that were copied to a node that did not have them.
    Raises:
        EngineError: no GPU in the cluster and no target named; what a build raised.
    """
    if backend == "onnxruntime":
        raise EngineError("--cluster builds plans; got --backend onnxruntime, which has none")
    wanted = replace(wanted, folders=_absolute(wanted.folders))
    types = look_at_nodes(cluster)
    if asked_sm is None and not types:
        raise EngineError(
            "--target auto: no node of the Ray cluster has a GPU that torch finds; name the GPU to "
            "build for, e.g. --target sm89"
        )
    copied = 0
    for gpu in types or [GpuType(probe_machine("cpu"), ())]:
        if asked_sm is not None and gpu.nodes and gpu.machine.sm != asked_sm:
            cluster.say(f"{gpu.machine.label}: not SM{asked_sm}; left out")
            continue
        copied += _NodeGroup(cluster, gpu, cache).serve(wanted, backend, asked_sm)
    return copied


def _absolute(folders: WeightFolders) -> WeightFolders:
    """A worker's current folder is not the caller's."""
    return WeightFolders(*(Path(path).absolute() for path in astuple(folders)))


@dataclass(frozen=True)
class _NodeGroup:
    """The nodes of one GPU type; without any, the node this runs on."""

    cluster: Cluster
    gpu: GpuType
    cache: Path | None

    @property
    def label(self) -> str:
        return self.gpu.machine.label if self.gpu.nodes else "no GPU node"

    def serve(self, wanted: BuildRequest, backend: str, asked_sm: int | None) -> int:
        """Have the plans on every node; returns how many were copied."""
        machine = self.gpu.machine
        name, sm = planned(backend, asked_sm, machine)
        classic = name == "tensorrt"  # RTX compiles without a GPU
        here = (machine.gpu, machine.sm, machine.device) if classic else (None, None, "cpu")
        request = (replace(wanted, sm=sm, gpu=here[0], gpu_sm=here[1], device=here[2]), name)
        nodes = self.gpu.nodes or (self.cluster.this_node(),)
        holds = [self._start(_holds, *request, self.cache, node=node) for node in nodes]
        held: list[bool] = self.cluster.results(holds)
        if all(held):
            where = f"on all of {len(nodes)}" if self.gpu.nodes else "here"
            self.cluster.say(f"{self.label}: plans found {where}")
            return 0
        source = nodes[held.index(True)] if any(held) else nodes[0]
        needy = [n for n, has in zip(nodes, held, strict=True) if not has and n != source]
        # Classic TensorRT builds on the GPU itself.
        gpus = 1.0 if classic and not any(held) else 0.0
        steps = self.cluster.start(
            _build_all, *request, self.cache, node=source, cpus=BUILD_CPUS, gpus=gpus
        )
        return sum(self._copy(step, source, needy) for step in steps)

    def _start(self, function: Any, *arguments: Any, node: str) -> Any:
        return self.cluster.start(function, *arguments, node=node, cpus=0, gpus=0)

    def _copy(self, step: Any, source: str, needy: list[str]) -> int:
        """One step of the build to the nodes that lack it; the driver never holds the bytes."""
        made = [self._start(_install, step, self.cache, node=node) for node in needy]
        line, *installed = self.cluster.results([self._start(_line, step, node=source), *made])
        new = sum(map(bool, installed))
        self.cluster.say(f"{self.label}: {line}" + (f"; copied to {new} more" if new else ""))
        return new


def _holds(request: BuildRequest, backend: str, cache: Path | None) -> bool:
    """In a task: whether its node's store has every plan of a request."""
    binding = import_binding(backend)
    check_buildable(request, binding)
    store = PlanCache(cache)
    return all(held_plan(store, request, component, binding) for component in COMPONENTS)


def _build_all(request: BuildRequest, backend: str, cache: Path | None) -> Generator[BuildStep]:
    """In a task: every plan of a request, packed as it is ready."""
    from engines.editors.magicface.backends.plan_builder import PlanBuilder

    binding, store = import_binding(backend), PlanCache(cache)
    builder = PlanBuilder(request, binding, store)
    yield BuildStep(f"{binding.label} plans for SM{request.sm}")
    for component in COMPONENTS:
        found = held_plan(store, request, component, binding)
        if found is None:
            graph = builder.graph(component)
            yield BuildStep(_step(graph))
            made = builder.plan(component, graph.entry)
            yield _pack(store, made.entry, _step(made))
        else:
            yield _pack(store, found, f"found {component} plan")


def _step(prepared: Prepared) -> str:
    how = "made" if prepared.made_now else "found"
    return f"{how} {prepared.entry.component} {prepared.entry.kind} in {prepared.seconds:.1f} s"


def _pack(store: PlanCache, entry: CacheEntry, line: str) -> BuildStep:
    name = entry.folder.name
    return BuildStep(f"{line}, {entry.size_bytes / 1e6:,.1f} MB", name, store.pack(name))


def _install(step: BuildStep, cache: Path | None) -> bool:
    """In a task on the node that will serve: put it into that node's store."""
    return bool(step.plan) and PlanCache(cache).install(step.plan, step.files)


def _line(step: BuildStep) -> str:
    """In a task where the step was made."""
    return step.line
