"""What a run would find, build or go without of TensorRT plans: told before it, nothing is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engines.editors.magicface.backends.build_progress import usual_s
from engines.editors.magicface.backends.build_request import (
    BuildRequest,
    check_buildable,
    graph_key_of,
    wanted_by,
)
from engines.editors.magicface.backends.builders import planned, targeted
from engines.editors.magicface.backends.choose import (
    Machine,
    candidates,
    probe_machine,
)
from engines.editors.magicface.backends.find import held_plan
from engines.editors.magicface.backends.ports import COMPONENTS
from engines.editors.magicface.settings import MagicFaceSettings
from engines.errors import EngineError
from engines.trt.binding import MODULES, Binding, import_binding
from engines.trt.errors import StalePlanError
from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import CacheEntry


@dataclass(frozen=True)
class Lacking:
    """A graph or a plan that is not in the store."""

    component: str
    kind: str


def plans_here(asked: MagicFaceSettings) -> str:
    """`plans_told` of this machine and its store.

    Raises:
        EngineError: as `plans_told`.
    """
    device = None if asked.device == "auto" else asked.device
    return plans_told(asked, probe_machine(device), PlanCache())


def plans_told(asked: MagicFaceSettings, machine: Machine, cache: PlanCache) -> str:
    """Which plans a run of these settings wants on a machine, which are there, how long the rest
    takes to build, or why none is used.

    Raises:
        EngineError: a backend asked for by name that cannot run there.
    """
    first, *others = candidates(asked.backend, machine, torch_only=asked.cache_steps > 1)
    if first.backend not in MODULES or asked.dtype == "fp32":
        why = "plans are fp16 or bf16; got fp32" if first.backend in MODULES else first.reason
        return f"none wanted: {why}"
    try:
        name, sm = planned(asked.backend, None, machine)
        request, binding = targeted(wanted_by(asked), name, sm, machine), import_binding(name)
        check_buildable(request, binding)
        lacking = _lacking(cache, request, binding)
    except EngineError as error:
        after = next((c.backend for c in others if c.backend not in MODULES), "")
        return f"cannot be built: {error}{f'; the run takes {after}' if after else ''}"
    return _told(binding.label, machine, cache, lacking)


def _lacking(cache: PlanCache, request: BuildRequest, binding: Binding) -> list[Lacking]:
    found: list[Lacking] = []
    for component in COMPONENTS:
        if held_plan(cache, request, component, binding) is None:
            found += [Lacking(component, "plan")]
            if not _has_graph(cache, request, component, binding):
                found += [Lacking(component, "graph")]
    return found


def _has_graph(cache: PlanCache, request: BuildRequest, component: str, binding: Binding) -> bool:
    try:
        return cache.find(graph_key_of(request, component, binding)) is not None
    except StalePlanError:
        return False


def _told(label: str, machine: Machine, cache: PlanCache, lacking: Sequence[Lacking]) -> str:
    missing = [each.component for each in lacking if each.kind == "plan"]
    there = len(COMPONENTS) - len(missing)
    head = f"{label} for {machine.label}: {there} of {len(COMPONENTS)} there"
    if not missing:
        return f"{head}, in {cache.root}"
    return f"{head}; {', '.join(missing)} would be built, {_how_long(cache, lacking)}"


def _how_long(cache: PlanCache, lacking: Sequence[Lacking]) -> str:
    """By what this store's entries took to make, beside what they took where it was measured."""
    seconds = sum(usual_s(each.component, each.kind) for each in lacking)
    made = [(float(e.made["wall_s"]), usual_s(e.component, e.kind)) for e in _timed(cache)]
    took, usual = sum(t for t, _ in made), sum(u for _, u in made)
    if not usual:
        return f"{_minutes(seconds)} where that was measured (docs/performance.md)"
    return f"{_minutes(seconds * took / usual)} by what was built here before"


def _timed(cache: PlanCache) -> list[CacheEntry]:
    return [e for e in cache.entries() if e.component in COMPONENTS and "wall_s" in e.made]


def _minutes(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"
