"""Engines on a Ray cluster: built once per GPU type, then copied to every node with that type.

An actor that built its own engine would repeat a minute of work on every node, and classic
TensorRT would do so while it holds a GPU that should be rendering.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from engines.errors import EngineError
from engines.magicface.folders import locate_weights, native_size
from engines.trt.binding import BACKENDS
from engines.trt.choose import Machine, look_around
from engines.trt.key import BatchProfile
from engines.trt.order import Order
from jobs.cluster import start
from jobs.engine_plan import plan_build

Say = Callable[[str], None]
ACCELERATOR = "accelerator_type:"
"""How Ray names a node's GPU type among its resources."""
BUILD_CPUS = 2
A_LITTLE = 0.001
"""Of a node's accelerator resource: enough to be placed there."""


@dataclass(frozen=True)
class GpuType:
    """Nodes of a cluster whose GPUs are of one type.

    Attributes:
        name: Ray's, e.g. `H100`; `GPU` where Ray does not know it.
        nodes: their ids.
    """

    name: str
    nodes: tuple[str, ...]


def gpu_types(nodes: Sequence[Mapping[str, Any]]) -> list[GpuType]:
    """Living nodes with GPUs, by type.

    Args:
        nodes: as `ray.nodes()` tells them.
    """
    found: dict[str, list[str]] = {}
    for node in nodes:
        resources = node.get("Resources", {})
        if not node.get("Alive") or not resources.get("GPU"):
            continue
        names = [r.removeprefix(ACCELERATOR) for r in resources if r.startswith(ACCELERATOR)]
        found.setdefault(names[0] if names else "GPU", []).append(str(node["NodeID"]))
    return [GpuType(name, tuple(sorted(ids))) for name, ids in sorted(found.items())]


def build_before_actors(settings: Mapping[str, Any], *, say: Say) -> None:
    """The engines that actors of the editor `magicface` will look for, built before they start.

    Nothing happens where the settings ask for another backend or for fp32. With `backend=auto`,
    what cannot be built is told, and the actors choose for themselves.

    Args:
        settings: as the editor takes them.
    Raises:
        EngineError: a TensorRT asked for by name cannot serve this cluster.
    """
    from engines.magicface.settings import resolved

    asked = resolved(**settings)
    if asked.backend not in {"auto", *BACKENDS} or asked.dtype == "fp32":
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
        asked_sm: None = whatever GPUs the cluster has.
        cache: the store's root on every node; None = each node's default.
    Returns:
        Engines that were copied to a node that did not have them.
    Raises:
        EngineError: no GPU in the cluster and no target named; what a build raised.
    """
    start()
    ray: Any = import_module("ray")  # late: jobs.cluster.start() sets it up
    types = gpu_types(ray.nodes())
    if asked_sm is None and not types:
        raise EngineError(
            "--target auto: no node of the Ray cluster has a GPU; name the GPU to build for, "
            "e.g. --target sm89"
        )
    copied = 0
    for gpu in types or [GpuType("none", ())]:
        machine = _look_at(ray, gpu) if gpu.nodes else look_around()
        if asked_sm is not None and gpu.nodes and machine.sm != asked_sm:
            say(f"{gpu.name}: {machine.label}, not SM{asked_sm}; left out")
            continue
        copied += _build_for(ray, gpu, machine, wanted, backend, asked_sm, cache, say)
    return copied


def _look_at(ray: Any, gpu: GpuType) -> Machine:
    on_it = _on(gpu.nodes[0])
    machine: Machine = ray.get(ray.remote(look_around).options(**on_it, num_gpus=A_LITTLE).remote())
    if machine.sm is None:
        raise EngineError(f"{gpu.name}: Ray counts GPUs on node {gpu.nodes[0]}, torch finds none")
    return machine


def _build_for(
    ray: Any,
    gpu: GpuType,
    machine: Machine,
    wanted: Order,
    backend: str,
    asked_sm: int | None,
    cache: Path | None,
    say: Say,
) -> int:
    binding, sm = plan_build(backend, asked_sm, machine)
    if binding is None:
        raise EngineError("--cluster builds engines; got --backend onnxruntime, which has none")
    name = binding.name
    if binding.is_rtx:  # any CPU node will do: it compiles ahead of time
        order, place = replace(wanted, sm=sm), {"num_cpus": BUILD_CPUS}
    else:
        here = {"gpu": machine.gpu, "gpu_sm": machine.sm, "device": machine.device}
        order = replace(wanted, sm=sm, **here)
        place = {"num_gpus": 1, **_on(gpu.nodes[0])}
    say(f"{gpu.name}: building {binding.label} engines for SM{sm}, once for {len(gpu.nodes)} nodes")
    engines = ray.remote(_build_all).options(**place).remote(order, name, cache)
    copied = 0
    for packed in engines:
        made = [
            ray.remote(_install).options(**_on(node), num_cpus=A_LITTLE).remote(packed, cache)
            for node in gpu.nodes
        ]
        told = ray.get([ray.remote(_told).options(num_cpus=A_LITTLE).remote(packed), *made])
        new = sum(bool(installed) for installed in told[1:])
        say(f"{gpu.name}: {told[0]}; copied to {new} of {len(gpu.nodes)} nodes")
        copied += new
    return copied


def _on(node: str) -> dict[str, Any]:
    strategies: Any = import_module("ray.util.scheduling_strategies")
    strategy = strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=False)
    return {"scheduling_strategy": strategy}


def _build_all(
    order: Order, backend: str, cache: Path | None
) -> Generator[tuple[str, str, dict[str, bytes]]]:
    """In a task: every engine of an order, packed as it is ready."""
    from engines.trt.binding import import_binding
    from engines.trt.cache import EngineCache
    from engines.trt.prepare import Workshop

    store = EngineCache(cache)
    for done in Workshop(order, import_binding(backend), store).run():
        if done.entry.kind == "engine":
            name = done.entry.folder.name
            how = "made" if done.made_now else "found"
            told = f"{how} {done.entry.component} in {done.seconds:.1f} s"
            yield name, told, store.pack(name)


def _install(packed: tuple[str, str, dict[str, bytes]], cache: Path | None) -> bool:
    """In a task on the node that will serve: put it into that node's store."""
    from engines.trt.cache import EngineCache

    return EngineCache(cache).install(packed[0], packed[2])


def _told(packed: tuple[str, str, dict[str, bytes]]) -> str:
    """In a task, so that the driver never holds the bytes."""
    return f"{packed[1]}, {sum(map(len, packed[2].values())) / 1e6:,.1f} MB"
