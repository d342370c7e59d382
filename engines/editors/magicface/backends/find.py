"""Which stored engine serves an order: its batch sizes may be wider, its graph any of ours."""

from __future__ import annotations

from collections.abc import Callable

from engines.editors.magicface.backends.build_request import FLAGS, Order, graph_key_of, target_name
from engines.trt.binding import Binding
from engines.trt.cache import EngineCache
from engines.trt.entry import Entry
from engines.trt.key import BatchProfile, StoreKey, engine_key

OPEN_FACTS = ("batch", "graph_sha256")
"""What a request leaves open; the graph is named by its weights, recipe and versions instead."""


def load_engine(
    cache: EngineCache, order: Order, component: str, binding: Binding, *, rows: int
) -> Entry:
    """The stored engine that covers a batch of `rows`, checked byte by byte.

    Raises:
        StaleEngineError: none fits; with what the nearest differs in, and how to build it.
    """
    key = _request(order, component, binding)
    return cache.load(key, open_facts=OPEN_FACTS, accept=_covering(rows))


def held_engine(cache: EngineCache, order: Order, component: str, binding: Binding) -> Entry | None:
    """An engine of the store that serves an order, whole by its sizes; None where there is none."""
    profile = order.profile(component)
    covers = _covering(profile.smallest, profile.largest)
    return cache.fitting(
        _request(order, component, binding),
        OPEN_FACTS,
        lambda entry: covers(entry) and not entry.faults(hashes=False),
    )


def _covering(*batches: int) -> Callable[[Entry], bool]:
    return lambda entry: all(map(BatchProfile.parse(entry.facts["batch"]).covers, batches))


def _request(order: Order, component: str, binding: Binding) -> StoreKey:
    graph = graph_key_of(order, component, binding)
    return engine_key(
        component,
        graph_sha256="",
        graph_facts=graph.facts,
        backend=binding.name,
        backend_version=binding.version,
        target=target_name(binding, order.sm, order.gpu),
        batch=order.profile(component),
        flags=FLAGS,
    )
