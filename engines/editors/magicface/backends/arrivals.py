"""Plans that were not there when an actor began: whether they have come, and finishing them.

RTX's plans come whole from a task. Classic TensorRT builds on the GPU itself, which an actor holds:
of it a task makes the graphs, and the first actor that meets them builds the plans, between two
segments; its neighbours go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from engines.editors.magicface.backends.build_request import (
    BuildRequest,
    graph_key_of,
    plan_key_of,
)
from engines.editors.magicface.backends.find import held_plan
from engines.editors.magicface.backends.plan_builder import PlanBuilder
from engines.editors.magicface.backends.ports import COMPONENTS
from engines.errors import EngineError
from engines.trt.binding import Binding, import_binding
from engines.trt.errors import StalePlanError
from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import CacheEntry
from engines.trt.store.lock import is_held


def have_come(request: BuildRequest, backend: str, cache: PlanCache) -> bool:
    """Whether a backend that was passed over for want of plans could serve now."""
    try:
        binding = import_binding(backend)
        missing = _missing(request, binding, cache)
        return not missing or (not binding.is_rtx and _can_finish(request, binding, cache, missing))
    except (EngineError, OSError):  # a store that cannot be read has nothing new
        return False


def finish_plans(
    request: BuildRequest, binding: Binding, cache: PlanCache, say: Callable[[str], None]
) -> None:
    """Builds classic TensorRT's missing plans on this GPU, where all their graphs are here.

    Raises:
        StalePlanError: another process is building them.
        PlanBuildError: it cannot be built; what the library said.
    """
    missing = _missing(request, binding, cache)
    if binding.is_rtx or not missing or not _graphs(request, binding, cache, missing):
        return
    if not _can_finish(request, binding, cache, missing):
        raise StalePlanError("its plans are being built by another process")
    builder = PlanBuilder(request, binding, cache)
    for component, graph in _graphs(request, binding, cache, missing).items():
        made = builder.plan(component, graph)
        say(f"made {component} plan in {made.seconds:.1f} s")


def _missing(request: BuildRequest, binding: Binding, cache: PlanCache) -> list[str]:
    return [c for c in COMPONENTS if held_plan(cache, request, c, binding) is None]


def _graphs(
    request: BuildRequest, binding: Binding, cache: PlanCache, components: list[str]
) -> dict[str, CacheEntry]:
    """The graphs of these components; empty where one is not here."""
    found = {c: cache.find(graph_key_of(request, c, binding)) for c in components}
    graphs = {c: entry for c, entry in found.items() if entry is not None}
    return graphs if len(graphs) == len(components) else {}


def _can_finish(
    request: BuildRequest, binding: Binding, cache: PlanCache, missing: list[str]
) -> bool:
    graphs = _graphs(request, binding, cache, missing)
    names = (plan_key_of(request, c, binding, graph).name for c, graph in graphs.items())
    return bool(graphs) and not any(is_held(cache.lock_of(name)) for name in names)
