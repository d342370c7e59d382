"""Engines on a Ray cluster: built once per GPU type, then copied to every node with that type.

An actor that built its own engine would repeat a minute of work on every node, and classic
TensorRT would do so while it holds a GPU that should be rendering.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import astuple, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.editors.magicface.backends.build_request import Order, check_buildable
from engines.editors.magicface.backends.choose import look_around
from engines.editors.magicface.backends.find import held_engine
from engines.editors.magicface.backends.ports import ORDER
from engines.editors.magicface.folders import WeightFolders, locate_weights, native_size
from engines.errors import EngineError
from engines.trt.binding import BACKENDS, import_binding
from engines.trt.cache import EngineCache
from engines.trt.entry import Entry
from engines.trt.key import BatchProfile
from jobs.ray_cluster.cluster import start
from jobs.ray_cluster.gpu_nodes import GpuType, Say, fetched, look_at_nodes, on_node
from jobs.trt_building.builders import planned

if TYPE_CHECKING:
    from engines.editors.magicface.backends.prepare import Prepared

BUILD_CPUS = 2
"""For a build; a node with fewer gives what it has."""


@dataclass(frozen=True)
class Packed:
    """One step of a build: what is told, and an engine's files when one is ready.

    Attributes:
        name: the engine's folder in a store; "" where there is only something to tell.
    """

    told: str
    name: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


def build_before_actors(settings: Mapping[str, Any], *, say: Say) -> None:
    """The engines that actors of the editor `magicface` will look for, built before they start.

    Nothing happens where the settings ask for another backend, for fp32 or for the CPU. With
    `backend=auto`, what cannot be built is told, and the actors choose for themselves.

    Args:
        settings: as the editor takes them.
    Raises:
        EngineError: a TensorRT asked for by name cannot serve this cluster.
    """
    from engines.editors.magicface.settings import resolved

    asked = resolved(**settings)
    if asked.backend not in {"auto", *BACKENDS} or asked.dtype == "fp32" or asked.device == "cpu":
        return
    try:
        folders = locate_weights(asked.weights, asked.base)
        dtype = "fp16" if asked.dtype == "auto" else asked.dtype
        batch = BatchProfile(1, asked.batch, asked.batch)
        wanted = Order(folders, dtype, asked.size or native_size(folders), batch)
        build_on_cluster(wanted, asked.backend, None, None, say=say)
    except EngineError as error:
        if asked.backend != "auto":
            raise
        say(f"no TensorRT engines were built: {error}")


def build_on_cluster(
    wanted: Order, backend: str, asked_sm: int | None, cache: Path | None, *, say: Say
) -> int:
    """Build for every GPU type there is, or for one named generation, and copy to the GPU nodes.

    Args:
        wanted: without a target; weights must be readable under the same path on every node.
        asked_sm: None = whatever GPUs the cluster has. A cluster without GPUs builds for it on the
            node this runs on.
        cache: the store's root on every node; None = each node's default.
    Returns:
        Engines that were copied to a node that did not have them.
    Raises:
        EngineError: no GPU in the cluster and no target named; what a build raised.
    """
    if backend == "onnxruntime":
        raise EngineError("--cluster builds engines; got --backend onnxruntime, which has none")
    start()
    ray: Any = import_module("ray")  # late: jobs.ray_cluster.cluster.start() sets it up
    wanted = replace(wanted, folders=_absolute(wanted.folders))
    types = look_at_nodes(ray, say=say)
    if asked_sm is None and not types:
        raise EngineError(
            "--target auto: no node of the Ray cluster has a GPU that torch finds; name the GPU to "
            "build for, e.g. --target sm89"
        )
    copied = 0
    for gpu in types or [GpuType(look_around("cpu"), ())]:
        if asked_sm is not None and gpu.nodes and gpu.machine.sm != asked_sm:
            say(f"{gpu.machine.label}: not SM{asked_sm}; left out")
            continue
        copied += _Site(ray, gpu, cache, say).serve(wanted, backend, asked_sm)
    return copied


def _absolute(folders: WeightFolders) -> WeightFolders:
    """A worker's current folder is not the caller's."""
    return WeightFolders(*(Path(path).absolute() for path in astuple(folders)))


@dataclass(frozen=True)
class _Site:
    """The nodes of one GPU type; without any, the node this runs on."""

    ray: Any
    gpu: GpuType
    cache: Path | None
    say: Say

    @property
    def label(self) -> str:
        return self.gpu.machine.label if self.gpu.nodes else "no GPU node"

    def serve(self, wanted: Order, backend: str, asked_sm: int | None) -> int:
        """Have the engines on every node; returns how many were copied."""
        machine = self.gpu.machine
        name, sm = planned(backend, asked_sm, machine)
        classic = name == "tensorrt"  # RTX compiles without a GPU
        here = (machine.gpu, machine.sm, machine.device) if classic else (None, None, "cpu")
        request = (replace(wanted, sm=sm, gpu=here[0], gpu_sm=here[1], device=here[2]), name)
        nodes = self.gpu.nodes or (self.ray.get_runtime_context().get_node_id(),)
        holds = [self._task(_holds, node).remote(*request, self.cache) for node in nodes]
        held: list[bool] = fetched(self.ray, holds)
        if all(held):
            where = f"on all of {len(nodes)}" if self.gpu.nodes else "here"
            self.say(f"{self.label}: engines found {where}")
            return 0
        source = nodes[held.index(True)] if any(held) else nodes[0]
        needy = [n for n, has in zip(nodes, held, strict=True) if not has and n != source]
        needs = self._needs(source, classic=classic and not any(held))
        steps = self._task(_build_all, source, **needs).remote(*request, self.cache)
        return sum(self._copy(step, source, needy) for step in steps)

    def _task(self, function: Any, node: str, **needs: float) -> Any:
        return self.ray.remote(function).options(**on_node(node), **{"num_cpus": 0, **needs})

    def _needs(self, node: str, *, classic: bool) -> dict[str, float]:
        """What a build takes of its node."""
        resources = next(n["Resources"] for n in self.ray.nodes() if n["NodeID"] == node)
        cpus = min(BUILD_CPUS, resources.get("CPU", 0.0))
        return {"num_cpus": cpus, "num_gpus": 1.0 if classic and self.gpu.nodes else 0.0}

    def _copy(self, step: Any, source: str, needy: list[str]) -> int:
        """One step of the build to the nodes that lack it; the driver never holds the bytes."""
        made = [self._task(_install, node).remote(step, self.cache) for node in needy]
        told, *installed = fetched(self.ray, [self._task(_told, source).remote(step), *made])
        new = sum(map(bool, installed))
        self.say(f"{self.label}: {told}" + (f"; copied to {new} more" if new else ""))
        return new


def _holds(order: Order, backend: str, cache: Path | None) -> bool:
    """In a task: whether its node's store has every engine of an order."""
    binding = import_binding(backend)
    check_buildable(order, binding)
    store = EngineCache(cache)
    return all(held_engine(store, order, component, binding) for component in ORDER)


def _build_all(order: Order, backend: str, cache: Path | None) -> Generator[Packed]:
    """In a task: every engine of an order, packed as it is ready."""
    from engines.editors.magicface.backends.prepare import Workshop

    binding, store = import_binding(backend), EngineCache(cache)
    workshop = Workshop(order, binding, store)
    yield Packed(f"{binding.label} engines for SM{order.sm}")
    for component in ORDER:
        found = held_engine(store, order, component, binding)
        if found is None:
            graph = workshop.graph(component)
            yield Packed(_step(graph))
            made = workshop.engine(component, graph.entry)
            yield _pack(store, made.entry, _step(made))
        else:
            yield _pack(store, found, f"found {component} engine")


def _step(prepared: Prepared) -> str:
    how = "made" if prepared.made_now else "found"
    return f"{how} {prepared.entry.component} {prepared.entry.kind} in {prepared.seconds:.1f} s"


def _pack(store: EngineCache, entry: Entry, told: str) -> Packed:
    name = entry.folder.name
    return Packed(f"{told}, {entry.size_bytes / 1e6:,.1f} MB", name, store.pack(name))


def _install(packed: Packed, cache: Path | None) -> bool:
    """In a task on the node that will serve: put it into that node's store."""
    return bool(packed.name) and EngineCache(cache).install(packed.name, packed.files)


def _told(packed: Packed) -> str:
    """In a task where the step was made."""
    return packed.told
