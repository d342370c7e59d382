"""The dark inside of a mouth that the warp opens; it has no teeth and no tongue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from engines.editors.previz_face import FaceFrame

_TOP = (60, 61, 62, 63, 64)
_BOTTOM = (60, 67, 66, 65, 64)
_OUTER_LIPS = np.array([50, 51, 52, 56, 57, 58])
_SLACK = 0.01  # a gap this small counts as shut
_DARK = np.array([0.22, 0.13, 0.13])
_EDGE_PX = 1.5


@dataclass(frozen=True)
class Cavity:
    """What to paint.

    Attributes:
        x0, y0: upper left pixel in the crop.
        opacity: `(h, w)` float32 0…1.
        colour: `(h, w, 3)` float32 on the crop's scale.
    """

    x0: int
    y0: int
    opacity: NDArray[np.float32]
    colour: NDArray[np.float32]


def _gap(
    points: NDArray[np.float64], where: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    top, bottom = points[list(_TOP)], points[list(_BOTTOM)]
    order_top = np.maximum.accumulate(top[:, 0] + np.arange(5) * 1e-6)
    order_bottom = np.maximum.accumulate(bottom[:, 0] + np.arange(5) * 1e-6)
    inside = np.clip(where, order_top[0], order_top[-1])
    return (
        PchipInterpolator(order_top, top[:, 1])(inside),
        PchipInterpolator(order_bottom, bottom[:, 1])(inside),
    )


def mouth_cavity(
    frame: FaceFrame,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    image: NDArray[np.uint8] | NDArray[np.uint16],
) -> Cavity | None:
    """The inside that a warp laid bare, or None where no lips part.

    Args:
        frame: the face's frame.
        before, after: `(74, 2)` face units: control points, and where they went.
        image: `(S, S, 3)` the crop, for the colour of its lips.
    """
    inner = after[60:68]
    samples = np.linspace(inner[:, 0].min(), inner[:, 0].max(), 65)
    top, bottom = _gap(after, samples)
    opened = np.maximum(bottom - top, 0.0)
    # the same column of lip lay elsewhere before: compare by the way between the corners
    was_top, was_bottom = _gap(before, np.linspace(before[60, 0], before[64, 0], 65))
    was = np.maximum(was_bottom - was_top, 0.0)
    torn = 1.0 - (was + _SLACK) / (opened + _SLACK)
    t = np.clip((torn - 0.25) / 0.5, 0.0, 1.0)
    paint = t * t * (3.0 - 2.0 * t)
    if not paint.any():
        return None
    size = len(image)
    box = frame.to_px(
        np.column_stack([np.tile(samples[[0, -1]], 2), np.repeat([top.min(), bottom.max()], 2)])
    )
    x0, y0 = np.clip(np.floor(box.min(axis=0)).astype(int) - 3, 0, size)
    x1, y1 = np.clip(np.ceil(box.max(axis=0)).astype(int) + 4, 0, size)
    if x1 <= x0 or y1 <= y0:
        return None
    pixels = np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), axis=-1)
    at = frame.from_px(pixels)
    edge = _EDGE_PX / frame.unit_px
    x, y = at[..., 0], at[..., 1]
    over = np.clip((y - np.interp(x, samples, top)) / edge + 0.5, 0.0, 1.0)
    under = np.clip((np.interp(x, samples, bottom) - y) / edge + 0.5, 0.0, 1.0)
    opacity = over * under * np.interp(x, samples, paint, left=0.0, right=0.0)
    depth = np.clip((y - top.min()) / max(bottom.max() - top.min(), 1e-6), 0.0, 1.0)
    colour = _lip_colour(frame, before, image) * _DARK * (0.75 + 0.5 * depth)[..., None]
    return Cavity(int(x0), int(y0), opacity.astype(np.float32), colour.astype(np.float32))


def _lip_colour(
    frame: FaceFrame, points: NDArray[np.float64], image: NDArray[np.uint8] | NDArray[np.uint16]
) -> NDArray[np.float64]:
    at = np.rint(frame.to_px(points[_OUTER_LIPS])).astype(int)
    x, y = np.clip(at, 0, len(image) - 1).T
    return image[y, x].mean(axis=0, dtype=np.float64)
