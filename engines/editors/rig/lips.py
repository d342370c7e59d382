"""The lips as edges: where they meet and part, and their box in a crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import FaceFrame
from engines.editors.rig.points import LOWER_INNER, POINTS, UPPER_INNER
from keyframes.curves.easing import smoothstep

_TOP = (60, *UPPER_INNER, 64)
_BOTTOM = (60, *LOWER_INNER, 64)
_SAMPLES = 41


@dataclass(frozen=True)
class Lips:
    """Two edges that meet in corners, at even steps between them, face units: inner lips, lids."""

    x: NDArray[np.float64]
    top: NDArray[np.float64]
    bottom: NDArray[np.float64]

    @property
    def gap(self) -> NDArray[np.float64]:
        return np.maximum(self.bottom - self.top, 0.0)


def _curve(through: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """y at x of a smooth curve through points sorted by x: cubic Hermite, slopes by differences."""
    at = np.maximum.accumulate(through[:, 0] + 1e-6 * np.arange(len(through)))
    slopes = np.gradient(through[:, 1], at)
    piece = np.clip(np.searchsorted(at, x, side="right") - 1, 0, len(at) - 2)
    step = at[piece + 1] - at[piece]
    t = np.clip((x - at[piece]) / step, 0.0, 1.0)
    first, last = through[piece, 1], through[piece + 1, 1]
    bend = t * (1.0 - t) * ((1.0 - t) * slopes[piece] - t * slopes[piece + 1])
    return first + smoothstep(t) * (last - first) + bend * step


def inner_lips(points: NDArray[np.float64]) -> Lips:
    """Of `(68, 2)` landmarks or `(P, 2)` control points, face units."""
    if len(points) < POINTS:
        return edges(points, [60, 61, 62, 63, 64], [60, 67, 66, 65, 64])
    return edges(points, _TOP, _BOTTOM)


def edges(points: NDArray[np.float64], top: Sequence[int], bottom: Sequence[int]) -> Lips:
    """Smooth edges through points that both name from the left corner to the right one."""
    x = np.linspace(points[top[0], 0], points[top[-1], 0], _SAMPLES)
    return Lips(x, _curve(points[list(top)], x), _curve(points[list(bottom)], x))


def lips_box_px(frame: FaceFrame, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """`(2, 2)` crop pixels: least and greatest x, y of the inner lips, and 3 pixels more."""
    lips_px = frame.to_px(points[[*_TOP, *_BOTTOM]])
    corners = np.stack([np.floor(lips_px.min(axis=0)) - 3, np.ceil(lips_px.max(axis=0)) + 3])
    return corners.astype(np.int64)
