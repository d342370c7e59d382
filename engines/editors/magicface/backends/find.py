"""Which stored plan serves a request: its batch sizes may be wider, its graph any of ours."""

from __future__ import annotations

from collections.abc import Callable

from engines.editors.magicface.backends.build_request import (
    FLAGS,
    BuildRequest,
    graph_key_of,
    target_name,
)
from engines.trt.binding import Binding
from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import CacheEntry
from engines.trt.store.key import BatchProfile, StoreKey, plan_key

OPEN_FACTS = ("batch", "graph_sha256")
"""What a request leaves open; the graph is named by its weights, recipe and versions instead."""


def load_plan(
    cache: PlanCache, request: BuildRequest, component: str, binding: Binding, *, rows: int
) -> CacheEntry:
    """The stored plan that covers a batch of `rows`, checked byte by byte.

    Raises:
        StalePlanError: none fits; with what the nearest differs in, and how to build it.
    """
    key = _key(request, component, binding)
    return cache.load(key, open_facts=OPEN_FACTS, accept=_covering(rows))


def held_plan(
    cache: PlanCache, request: BuildRequest, component: str, binding: Binding
) -> CacheEntry | None:
    """A plan of the store that serves a request, whole by its sizes; None where there is none."""
    profile = request.profile(component)
    covers = _covering(profile.smallest, profile.largest)
    return cache.matching(
        _key(request, component, binding),
        OPEN_FACTS,
        lambda entry: covers(entry) and not entry.faults(hashes=False),
    )


def _covering(*batches: int) -> Callable[[CacheEntry], bool]:
    return lambda entry: all(map(BatchProfile.parse(entry.facts["batch"]).covers, batches))


def _key(request: BuildRequest, component: str, binding: Binding) -> StoreKey:
    graph = graph_key_of(request, component, binding)
    return plan_key(
        component,
        graph_sha256="",
        graph_facts=graph.facts,
        backend=binding.name,
        backend_version=binding.version,
        target=target_name(binding, request.sm, request.gpu),
        batch=request.profile(component),
        flags=FLAGS,
    )
