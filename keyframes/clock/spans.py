"""Spans of time: where something may be said, as a few ranges of seconds."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import numpy as np
from numpy.typing import NDArray

Spans = tuple[tuple[float, float], ...]
"""First and last second of each, both inclusive; rising and apart."""

NEVER: Spans = ()
ALWAYS: Spans = ((-inf, inf),)


def union(spans: Iterable[tuple[float, float]]) -> Spans:
    """Spans in any order → what any of them holds."""
    found: list[tuple[float, float]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def overlap(one: Spans, other: Spans) -> Spans:
    """What both hold."""
    pairs = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return union((first, last) for first, last in pairs if first <= last)


def widened(spans: Spans, by_s: float) -> Spans:
    """Each span with so many seconds more at both ends."""
    return union((first - by_s, last + by_s) for first, last in spans)


def within(spans: Spans, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`(N,)` which of the times the spans hold."""
    held = np.zeros(len(times_s), bool)
    for first, last in spans:
        held |= (times_s >= first) & (times_s <= last)
    return held
