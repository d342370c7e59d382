"""A triangle rasteriser in plain numpy: which triangle each pixel shows, and where on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EDGE = -1e-6
_SIZES = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
_PIXELS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Fragments:
    """The visible pixels.

    Attributes:
        row, column: `(P,)` where.
        triangle: `(P,)` which.
        weights: `(P, 3)` float64, how much each corner counts, in the picture's plane.
    """

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    triangle: NDArray[np.intp]
    weights: NDArray[np.float64]


def rasterise(
    corners_px: NDArray[np.float64], depth: NDArray[np.float64], size: tuple[int, int]
) -> Fragments:
    """Draws triangles by their nearest surface.

    Args:
        corners_px: `(T, 3, 2)` x, y; integer coordinates are pixel centres.
        depth: `(T, 3)`, greater is nearer.
        size: width and height, pixels.
    """
    width, height = size
    low = np.floor(corners_px.min(axis=1)).astype(int)
    high = np.ceil(corners_px.max(axis=1)).astype(int)
    shown = ((high >= 0) & (low < [width, height])).all(axis=1)
    span = (high - low + 1).max(axis=1)
    parts = [
        _covered(corners_px, depth, low, np.flatnonzero(shown & (span <= most) & (span > least)),
                 most, size)
        for least, most in zip((0, *_SIZES), _SIZES, strict=False)
    ]  # fmt: skip
    row, column, near, triangle, weights = (np.concatenate(p) for p in zip(*parts, strict=True))
    order = np.argsort(near, kind="stable")
    winner = np.full(width * height, -1)
    place = row * width + column
    winner[place[order]] = order  # of several writes to one pixel the last, nearest, stays
    kept = winner[winner >= 0]
    return Fragments(row[kept], column[kept], triangle[kept], weights[kept])


def _covered(
    corners_px: NDArray[np.float64],
    depth: NDArray[np.float64],
    low: NDArray[np.intp],
    chosen: NDArray[np.intp],
    side: int,
    size: tuple[int, int],
) -> tuple[NDArray[np.intp], ...]:
    """Pixels of triangles whose boxes fit `side`: row, column, depth, triangle, weights."""
    empty = np.zeros(0, np.intp)
    found = [(empty, empty, np.zeros(0), empty, np.zeros((0, 3)))]
    step = max(1, _PIXELS_AT_ONCE // side**2)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    for first in range(0, len(chosen), step):
        number = chosen[first : first + step]
        a, b, c = (corners_px[number, k] for k in range(3))
        area = _cross(b - a, c - a)
        ok = np.abs(area) > 1e-12
        number, a, b, c, area = number[ok], a[ok], b[ok], c[ok], area[ok]
        at = low[number][:, None] + grid
        second = _cross(at - a[:, None], (c - a)[:, None]) / area[:, None]
        third = _cross((b - a)[:, None], at - a[:, None]) / area[:, None]
        weights = np.stack([1 - second - third, second, third], axis=-1)
        inside = (weights >= _EDGE).all(axis=-1) & ((at >= 0) & (at < size)).all(axis=-1)
        which, _ = np.nonzero(inside)
        weights, at = weights[inside], at[inside]
        near = (weights * depth[number[which]]).sum(axis=1)
        found.append((at[:, 1], at[:, 0], near, number[which], weights))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def _cross(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
