"""Fewer points for the same line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def fewest_keys(times_s: Array, values: Array, tolerance: float) -> NDArray[np.intp]:
    """Rows that are enough for straight lines to stay within a tolerance of all the others.

    Args:
        times_s: `(M,)`, increasing.
        values: `(M,)`.
        tolerance: in the unit of the values.

    Source: Ramer (1972), Douglas and Peucker (1973), with vertical distance.
    """
    kept = np.zeros(len(times_s), bool)
    kept[[0, -1]] = True
    stretches = [(0, len(times_s) - 1)]
    while stretches:
        first, last = stretches.pop()
        if last - first < 2:
            continue
        inner = slice(first + 1, last)
        line = np.interp(times_s[inner], times_s[[first, last]], values[[first, last]])
        miss = np.abs(values[inner] - line)
        worst = int(np.argmax(miss))
        if miss[worst] > tolerance:
            middle = first + 1 + worst
            kept[middle] = True
            stretches += [(first, middle), (middle, last)]
    return np.flatnonzero(kept)
