"""What runs in tasks on the nodes: looking into a store, building, installing a copy."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from engines.editors.magicface.backends.build_progress import BuildClock
from engines.editors.magicface.backends.build_request import BuildRequest, check_buildable
from engines.editors.magicface.backends.find import held_plan
from engines.editors.magicface.backends.ports import COMPONENTS
from engines.trt.binding import import_binding
from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import CacheEntry

if TYPE_CHECKING:
    from engines.editors.magicface.backends.plan_builder import PlanBuilder, Prepared


@dataclass(frozen=True)
class BuildStep:
    """One step of a build: a line for people, and a plan's files when one is ready.

    Attributes:
        plan: the plan's folder in a store; "" where there is only a line.
        files: its content, where somebody needs a copy.
    """

    line: str
    plan: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


def holds(request: BuildRequest, backend: str, cache: Path | None) -> bool:
    """Whether this node's store has every plan of a request."""
    request, binding = request.here(), import_binding(backend)
    check_buildable(request, binding)
    store = PlanCache(cache)
    return all(held_plan(store, request, component, binding) for component in COMPONENTS)


def build_all(
    request: BuildRequest,
    backend: str,
    cache: Path | None,
    *,
    graphs_only: bool = False,
    packed: bool = True,
) -> Generator[BuildStep]:
    """Every plan of a request: a line as each step begins, and each plan as it is ready.

    It takes all cores that it may run on, however few Ray was asked for.

    Args:
        graphs_only: leave the plans to whoever holds the GPU that they are built on.
        packed: give a plan's files too.
    """
    use_every_core()
    told: SimpleQueue[BuildStep | BaseException | None] = SimpleQueue()
    store = PlanCache(cache)

    def build() -> None:
        try:
            for step in _steps(request.here(), backend, store, told, graphs_only=graphs_only):
                told.put(step)
        except BaseException as error:  # noqa: BLE001 - raised again by who reads
            told.put(error)
        finally:
            told.put(None)

    Thread(target=build, name="building plans", daemon=True).start()
    while (step := told.get()) is not None:
        if isinstance(step, BaseException):
            raise step
        yield replace(step, files=store.pack(step.plan)) if packed and step.plan else step


def use_every_core() -> None:
    """Lets torch use all cores; Ray gives a task's process as many threads as it asked CPUs for."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))


def _steps(
    request: BuildRequest,
    backend: str,
    store: PlanCache,
    told: SimpleQueue[BuildStep | BaseException | None],
    *,
    graphs_only: bool,
) -> Iterator[BuildStep]:
    from engines.editors.magicface.backends.plan_builder import PlanBuilder

    binding, clock = import_binding(backend), BuildClock()

    def report(component: str, what: str, fraction: float | None) -> None:
        if line := clock.line(component, what, fraction):
            told.put(BuildStep(line))

    builder = PlanBuilder(request, binding, store, report, proved_on_gpu=True)
    yield BuildStep(f"{binding.label} plans for SM{request.sm}")
    for component in COMPONENTS:
        found = held_plan(store, request, component, binding)
        if found is not None:
            clock.found(component, "graph", "plan")
            yield _ready(found, f"found {component} plan")
            continue
        yield from _made(builder, component, clock, graphs_only=graphs_only)


def _made(
    builder: PlanBuilder, component: str, clock: BuildClock, *, graphs_only: bool
) -> Iterator[BuildStep]:
    graph = builder.graph(component)
    if not graph.made_now:
        clock.found(component, "graph")
    yield BuildStep(_line(graph))
    if not graphs_only:
        plan = builder.plan(component, graph.entry)
        yield _ready(plan.entry, _line(plan))


def _line(prepared: Prepared) -> str:
    how = "made" if prepared.made_now else "found"
    return f"{how} {prepared.entry.component} {prepared.entry.kind} in {prepared.seconds:.1f} s"


def _ready(entry: CacheEntry, line: str) -> BuildStep:
    return BuildStep(f"{line}, {entry.size_bytes / 1e6:,.1f} MB", entry.folder.name)


def packed_plans(request: BuildRequest, backend: str, cache: Path | None) -> Generator[BuildStep]:
    """Every plan of a request that is held here, with its files."""
    request, binding, store = request.here(), import_binding(backend), PlanCache(cache)
    for component in COMPONENTS:
        found = held_plan(store, request, component, binding)
        if found is not None:
            step = _ready(found, f"found {component} plan")
            yield replace(step, files=store.pack(step.plan))


def install(step: BuildStep, cache: Path | None) -> bool:
    """On the node that will serve: put a plan into that node's store."""
    return bool(step.plan) and PlanCache(cache).install(step.plan, step.files)


def line_of(step: BuildStep) -> str:
    """Where the step was made: its line alone."""
    return step.line
