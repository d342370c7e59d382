"""What shows between lips that a warp opens.

The warp stretches what lies between the lips with them. Teeth bear that a little; beyond it they
keep their length below the upper lip, and what comes free under them is painted over. Between lips
that were shut all is painted (painted.py), or lent by another frame.
"""

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
_OUTER_LIPS = np.array([50, 51, 52, 56, 57, 58])
_BESIDE = np.array([[48, 4], [54, 12], [48, 3], [54, 13]])
"""Between a corner of the mouth and the jaw, half way: skin."""
_SAMPLES = 41
_STRETCH = 1.2  # teeth bear so much; a mouth that is open wide, with little teeth in it, more
_WIDE = 0.1
_SLACK = 0.01  # a gap this small shows nothing
_SHUT, _OPEN = 0.015, 0.05  # lips touch; what is behind them shows
_EDGE_PX = 1.5
_SHADOW = 0.12
_EDGE, _CORNER = 0.009, 0.035  # of the lips' soft edge, where larger; of the corners' own
_DARK = np.array([0.18, 0.11, 0.11])  # of the lips' colour


@dataclass(frozen=True)
class MouthWarp:
    """What becomes of the pixels between the lips.

    Attributes:
        from_px: `(h, w, 2)` float32: x, y of what each pixel shows.
        darkness: `(h, w)` float32 0…1: how much of it is painted over.
        shade: `(h, w)` float32: brightness of the paint, around 1.
    """

    from_px: NDArray[np.float32]
    darkness: NDArray[np.float32]
    shade: NDArray[np.float32]


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


def open_mouth(
    frame: FaceFrame,
    before: NDArray[np.float64],
    torn: NDArray[np.float64],
    after: NDArray[np.float64],
    pixels: NDArray[np.float64],
    from_px: NDArray[np.float32],
) -> MouthWarp:
    """Lets what lies between the lips keep its length, and darkens what comes free.

    Args:
        frame: the face's frame.
        before: `(P, 2)` face units: control points of the crop.
        torn: `(P, 2)` face units: those the warp was fitted to, shut lips a little apart.
        after: `(P, 2)` face units: where they went.
        pixels: `(h, w, 2)` crop pixels: x, y of each pixel around the lips.
        from_px: `(h, w, 2)`: what the warp shows there.
    """
    at = frame.from_px(from_px)
    x, y = at[..., 0], at[..., 1]
    was, now, source = inner_lips(before), inner_lips(after), inner_lips(torn)
    ratio = (now.gap + _SLACK) / (was.gap + _SLACK)
    shut = (1.0 - smoothstep(was.gap, _SHUT, _OPEN)) * smoothstep(ratio, 1.15, 2.8)

    top, gap = np.interp(x, source.x, source.top), np.interp(x, source.x, source.gap)
    depth = (y - top) / np.maximum(gap, 1e-6)  # 0 at the upper lip, 1 at the lower
    kept = np.interp(x, source.x, _kept(was, ratio))
    gap_px = np.interp(x, source.x, now.gap) * frame.unit_px
    free_px = (depth - 1.0 / kept) * gap_px
    edge_px = _EDGE_PX + _SHADOW * (1.0 - 1.0 / kept) * gap_px  # teeth fade into their own shadow
    free = smoothstep(free_px / edge_px + 0.6) * smoothstep(kept, 1.1, 1.4)
    paint = 1.0 - (1.0 - free) * (1.0 - np.interp(x, source.x, shut))

    between = (depth > 0.0) & (depth < 1.0) & (x > source.x[0]) & (x < source.x[-1])
    kept_y = np.where(between, top + np.minimum(kept * depth, 1.0) * gap, y)
    return MouthWarp(
        from_px=frame.to_px(np.stack([x, kept_y], axis=-1)).astype(np.float32),
        darkness=(paint * _inside(frame, now, pixels)).astype(np.float32),
        shade=(0.75 + 0.5 * np.clip(depth, 0.0, 1.0)).astype(np.float32),
    )


def _inside(frame: FaceFrame, lips: Lips, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """0…1: whether pixels lie between the lips, whose own soft edge is left to the warp."""
    at = frame.from_px(pixels)
    x, y = at[..., 0], at[..., 1]
    deep = np.minimum(y - np.interp(x, lips.x, lips.top), np.interp(x, lips.x, lips.bottom) - y)
    edge = np.clip(deep / max(_EDGE_PX / frame.unit_px, _EDGE) - 0.5, 0.0, 1.0)
    return edge * smoothstep(np.minimum(x - lips.x[0], lips.x[-1] - x) / _CORNER)


def _kept(was: Lips, ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """By what a stretch is taken back: 1 up to what is borne, then all beyond; a smooth bend."""
    r = ratio / (_STRETCH + 2.5 * max(float(was.gap.max()) - _WIDE, 0.0))
    return np.where(r < 1.1, 1.0 + np.maximum(r - 0.9, 0.0) ** 2 / 0.4, r)


def dark_colour(
    frame: FaceFrame, points: NDArray[np.float64], image: NDArray[np.uint8] | NDArray[np.uint16]
) -> NDArray[np.float32]:
    """`(3,)` on the crop's scale: the inside of a mouth with these lips, in this light."""
    at = np.rint(frame.to_px(points[_OUTER_LIPS])).astype(int)
    x, y = np.clip(at, 0, len(image) - 1).T
    return (image[y, x].mean(axis=0, dtype=np.float64) * _DARK).astype(np.float32)


def skin_colour(
    frame: FaceFrame, points: NDArray[np.float64], image: NDArray[np.uint8] | NDArray[np.uint16]
) -> NDArray[np.float32]:
    """`(3,)` on the crop's scale: the brighter side of the cheeks beside the mouth."""
    at = np.rint(frame.to_px(points[_BESIDE].mean(axis=1))).astype(int)
    x, y = np.clip(at, 2, len(image) - 3).T
    spots = [
        image[v - 2 : v + 3, u - 2 : u + 3].reshape(-1, 3).mean(axis=0)
        for u, v in zip(x, y, strict=True)
    ]
    return np.percentile(spots, 75, axis=0).astype(np.float32)
