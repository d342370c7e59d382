"""Fewer points for the same line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def fewest_keys(times_s: Array, values: Array, tolerance: float) -> NDArray[np.intp]:
    """Rows that are enough for straight lines to stay within a tolerance of all the others.

    All stretches between rows that are kept are looked at together, level by level, so that an
    hour at 60 rows per second takes a few dozen passes.

    Args:
        times_s: `(M,)`, increasing.
        values: `(M,)`.
        tolerance: in the unit of the values.

    Source: Ramer (1972), Douglas and Peucker (1973), with vertical distance.
    """
    last = len(times_s) - 1
    kept = np.zeros(last + 1, bool)
    kept[[0, last]] = True
    first, end = np.array([0]), np.array([last])
    while len(first):
        worst, miss = _worst(times_s, values, first, end)
        split = miss > tolerance
        middle = worst[split]
        kept[middle] = True
        first, end = (
            np.stack([first[split], middle], axis=1).ravel(),
            np.stack([middle, end[split]], axis=1).ravel(),
        )
        inner = end - first > 1
        first, end = first[inner], end[inner]
    return np.flatnonzero(kept)


def _worst(
    times_s: Array, values: Array, first: NDArray[np.intp], end: NDArray[np.intp]
) -> tuple[NDArray[np.intp], Array]:
    """Of each stretch, the inner row furthest from its line, the first of several; and how far."""
    counts = np.maximum(end - first - 1, 0)
    some = counts > 0
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    row: NDArray[np.intp] = (
        np.arange(int(counts.sum())) - np.repeat(starts, counts) + np.repeat(first + 1, counts)
    )
    slope = (values[end] - values[first]) / (times_s[end] - times_s[first])
    line = np.repeat(values[first], counts) + np.repeat(slope, counts) * (
        times_s[row] - np.repeat(times_s[first], counts)
    )
    miss = np.abs(values[row] - line)
    furthest = np.full(len(first), -1.0)
    worst = first.copy()
    if some.any():
        furthest[some] = np.maximum.reduceat(miss, starts[some])
        hits = np.flatnonzero(miss == np.repeat(furthest, counts))
        of_stretch = np.repeat(np.arange(len(first)), counts)[hits]
        chosen, at = np.unique(of_stretch, return_index=True)
        worst[chosen] = row[hits[at]]
    return worst, furthest
