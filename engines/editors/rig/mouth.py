"""What shows between lips that a warp opens.

The inside that shows already is drawn apart (own_inside.py): teeth keep their length, and what
comes free between them is painted over. Between lips that were shut all is painted (painted.py), or
lent by another frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import FaceFrame
from engines.editors.rig.lips import Lips, inner_lips
from engines.editors.rig.own_inside import Parting, drawn_apart
from keyframes.curves.easing import smoothstep

_STRETCH = 1.2  # an inside bears so much
_SLACK = 0.01  # a gap this small shows nothing
_SHUT, _OPEN = 0.02, 0.065  # lips touch; what is behind them shows
_EDGE_PX = 1.5
_AT_LIPS = 0.02
_SHADOW = 0.12
_EDGE, _CORNER = 0.009, 0.035  # of the lips' soft edge, where larger; of the corners' own


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


def open_mouth(
    frame: FaceFrame,
    before: NDArray[np.float64],
    torn: NDArray[np.float64],
    after: NDArray[np.float64],
    pixels: NDArray[np.float64],
    from_px: NDArray[np.float32],
    parts: Parting,
) -> MouthWarp:
    """Lets what lies between the lips keep its length, and darkens what comes free.

    Args:
        frame: the face's frame.
        before: `(P, 2)` face units: control points of the crop.
        torn: `(P, 2)` face units: those the warp was fitted to, shut lips a little apart.
        after: `(P, 2)` face units: where they went.
        pixels: `(h, w, 2)` crop pixels: x, y of each pixel around the lips.
        from_px: `(h, w, 2)`: what the warp shows there.
        parts: where the own inside comes apart.
    """
    at = frame.from_px(from_px)
    x, y = at[..., 0], at[..., 1]
    was, now, source = inner_lips(before), inner_lips(after), inner_lips(torn)
    ratio = (now.gap + _SLACK) / (was.gap + _SLACK)
    shut = (1.0 - smoothstep(was.gap, _SHUT, _OPEN)) * smoothstep(ratio, 1.15, 2.8)

    top, gap = np.interp(x, source.x, source.top), np.interp(x, source.x, source.gap)
    shown = (y - top) / np.maximum(gap, 1e-6)  # 0 at the upper lip, 1 at the lower
    depth = _evenly(shown, now, frame.from_px(pixels))
    kept = np.interp(x, source.x, _kept(ratio))
    own, beyond, within = drawn_apart(depth, kept, parts)
    gap_px = np.interp(x, source.x, now.gap) * frame.unit_px
    edge_px = _EDGE_PX + _SHADOW * (1.0 - 1.0 / kept) * gap_px  # teeth fade into their own shadow
    free = smoothstep(within * gap_px / edge_px + 0.6) * beyond
    paint = 1.0 - (1.0 - free) * (1.0 - np.interp(x, source.x, shut))

    between = (shown > 0.0) & (shown < 1.0) & (x > source.x[0]) & (x < source.x[-1])
    kept_y = np.where(between, top + own * gap, y)
    return MouthWarp(
        from_px=frame.to_px(np.stack([x, kept_y], axis=-1)).astype(np.float32),
        darkness=(paint * _inside(frame, now, pixels)).astype(np.float32),
        shade=(0.75 + 0.5 * np.clip(depth, 0.0, 1.0)).astype(np.float32),
    )


def _evenly(shown: NDArray[np.float64], lips: Lips, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Depths as even as the opened mouth has them, at its lips those that the warp shows.

    A spline opens a mouth most in its middle, and would shorten teeth.

    Args:
        shown: `(h, w)` depth between the lips that the warp shows.
        lips: the opened ones.
        at: `(h, w, 2)` places between them, face units.
    """
    x, down = at[..., 0], at[..., 1] - np.interp(at[..., 0], lips.x, lips.top)
    gap = np.interp(x, lips.x, lips.gap)
    away = smoothstep(np.minimum(down, gap - down), 0.0, _AT_LIPS)
    return shown + away * (down / np.maximum(gap, 1e-6) - shown)


def _inside(frame: FaceFrame, lips: Lips, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """0…1: whether pixels lie between the lips, whose own soft edge is left to the warp."""
    at = frame.from_px(pixels)
    x, y = at[..., 0], at[..., 1]
    deep = np.minimum(y - np.interp(x, lips.x, lips.top), np.interp(x, lips.x, lips.bottom) - y)
    edge = np.clip(deep / max(_EDGE_PX / frame.unit_px, _EDGE) - 0.5, 0.0, 1.0)
    return edge * smoothstep(np.minimum(x - lips.x[0], lips.x[-1] - x) / _CORNER)


def _kept(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """By what a stretch is taken back: 1 up to what is borne, then all beyond; a smooth bend."""
    r = ratio / _STRETCH
    return np.where(r < 1.1, 1.0 + np.maximum(r - 0.9, 0.0) ** 2 / 0.4, r)
