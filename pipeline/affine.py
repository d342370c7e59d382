"""Affine maps of the plane, `(…, 2, 3)`: the one place that applies, inverts and joins them.

A map is named by its direction, `b_from_a`; maps join like the names do:
`compose(c_from_b, b_from_a)` is `c_from_a`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def apply(matrix: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """`(…, P, 2)` points through `(…, 2, 3)` maps."""
    linear = np.swapaxes(matrix[..., :2], -1, -2)
    moved: Any = points.astype(np.float64) @ linear
    return moved + matrix[..., None, :, 2]


def inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The `(…, 2, 3)` map that undoes another."""
    linear = np.linalg.inv(matrix[..., :2])
    return np.concatenate([linear, -linear @ matrix[..., 2:]], axis=-1, dtype=np.float64)


def compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(…, 2, 3)`: first `inner`, then `outer`."""
    linear = outer[..., :2] @ inner[..., :2]
    shift = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return np.concatenate([linear, shift], axis=-1)
