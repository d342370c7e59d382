"""Lids that shut: the upper lid slides over an eye that stays as it is.

A warp would squeeze the eye between its lids. Here what lies between brow and lid is drawn down
over it as a layer of its own, its rim unstretched; where the rim has passed, the frame's own skin
is all that shows.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import FaceFrame
from engines.editors.rig.lips import Lips, edges
from engines.editors.rig.points import UNDER_BROWS
from engines.editors.rig.units import FULL
from keyframes.curves.easing import smoothstep

EYES = (
    ((36, 37, 38, 39), (36, 41, 40, 39), slice(UNDER_BROWS.start, UNDER_BROWS.start + 5)),
    ((42, 43, 44, 45), (42, 47, 46, 45), slice(UNDER_BROWS.start + 5, UNDER_BROWS.stop)),
)
"""Upper lid, lower lid and lower edge of the brow, image left first, as in LID_NAMES."""
_RIM = 0.004
"""Of the eye's upper edge that goes with the lid, outer-eye distances: the lashes' roots."""
_OVERLAP = 0.02
"""By how much a shut lid lies over the lower one."""
_LASHES, _LASHES_WIDE = 0.45, 0.012
_SHADOW, _SHADOW_WIDE = 0.35, 0.03
_MARGIN = 0.02
_EDGE_PX = 1.2
_MASK_MIN = 1 / 512
_Floats = NDArray[np.float64]


def eye_edges(points: _Floats, eye: int) -> Lips:
    """Upper and lower lid of one eye, face units; `eye` as in LID_NAMES."""
    upper, lower, _ = EYES[eye]
    return edges(points, upper, lower)


def close_lids(
    frame: FaceFrame,
    after: _Floats,
    lids: NDArray[np.floating],
    image: NDArray[Any],
    shown_from: Any,
    edited: NDArray[Any],
    mask: NDArray[np.float32],
) -> None:
    """Draws the lids over what `edited` shows, in place, and raises `mask` there.

    Args:
        frame: the face's frame in the crop.
        after: `(P, 2)` face units: control points after the warp.
        lids: `(2,)` in the order of LID_NAMES, 5 = all the way; negative ones shut nothing.
        image: the crop before any edit.
        shown_from: of a box of the crop (two slices) `(h, w, 2)` float32 x, y of `image` that each
            of its pixels shows after the warp.
        edited, mask: the crop after the warp, and where it changed.
    """
    for eye, lid in enumerate(lids):
        if lid <= 0.0:
            continue
        share = min(float(lid) / FULL, 1.0)
        box = _box(frame, after, eye, len(image))
        if box[0].stop - box[0].start < 3 or box[1].stop - box[1].start < 3:
            continue
        _draw(frame, after, eye, share, box, image, shown_from(box), edited, mask)


def _box(frame: FaceFrame, points: _Floats, eye: int, size: int) -> tuple[slice, slice]:
    upper, lower, brow = EYES[eye]
    around = np.concatenate([points[[*upper, *lower]], points[brow]])
    low, high = around.min(axis=0) - _MARGIN, around.max(axis=0) + 2 * _MARGIN
    corners = frame.to_px(np.array([low, high, [low[0], high[1]], [high[0], low[1]]]))
    x0, y0 = np.clip(np.floor(corners.min(axis=0)), 0, size).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)), 0, size).astype(int).tolist()
    return slice(y0, y1), slice(x0, x1)


def _draw(
    frame: FaceFrame,
    points: _Floats,
    eye: int,
    share: float,
    box: tuple[slice, slice],
    image: NDArray[Any],
    shown_from: NDArray[np.float32],
    edited: NDArray[Any],
    mask: NDArray[np.float32],
) -> None:
    rows, columns = box
    y_px, x_px = np.mgrid[rows, columns].astype(np.float64)
    at = frame.from_px(np.stack([x_px, y_px], axis=-1))
    x, y = at[..., 0], at[..., 1]
    slit, brow = eye_edges(points, eye), points[EYES[eye][2]]
    gap = np.interp(x, slit.x, slit.gap, left=0.0, right=0.0)
    rim = np.interp(x, slit.x, slit.top) + _RIM * smoothstep(gap, 0.0, 0.04)
    down = share * (gap + _OVERLAP * smoothstep(gap, 0.0, 0.06))
    drop = _drop(y, np.interp(x, brow[:, 0], brow[:, 1]), rim, down)
    lid_px = frame.to_px(np.stack([x, y - drop], axis=-1)) - [columns.start, rows.start]
    nothing: Any = None
    through = cv2.remap(
        shown_from,
        lid_px.astype(np.float32),
        nothing,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    skin = cv2.remap(image, through, nothing, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    below = y - rim - down  # of the rim where it is now
    moved = smoothstep(down, 0.01, 0.05)
    lashes = _LASHES * share * np.exp(-((below / _LASHES_WIDE) ** 2)) * moved
    over = np.clip(0.5 - below * frame.unit_px / _EDGE_PX, 0.0, 1.0) * (down > 0.0)
    eye_light = 1.0 - _SHADOW * np.exp(-np.maximum(below, 0.0) / _SHADOW_WIDE) * moved * (
        (below > 0.0) & (y < np.interp(x, slit.x, slit.bottom))
    )
    shown = edited[box] * eye_light[..., None]
    shown += over[..., None] * (skin - shown)
    shown *= 1.0 - lashes[..., None]
    changed = (over * drop * frame.unit_px > 0.02) | (lashes > 1e-3) | (eye_light < 0.999)
    cover = _cover(changed)
    drawn = np.clip(np.rint(shown), 0, np.iinfo(edited.dtype).max).astype(edited.dtype)
    edited[box] = np.where(cover[..., None] > 0.0, drawn, edited[box])
    mask[box] = np.maximum(mask[box], cover)


def _drop(y: _Floats, top: _Floats, rim: _Floats, down: _Floats) -> _Floats:
    """By how much what shows at y has come down: all of it at the rim, nothing at the brow."""
    length = np.maximum(rim + down - top, 1e-4)
    t = np.clip((y - top) / length, 0.0, 1.0)
    steepest = np.minimum(1.5, 0.9 * length / np.maximum(down, 1e-4))  # the map never turns over
    bent = np.clip((steepest - 1.0) / 0.5, 0.0, 1.0)
    return down * (t + bent * (smoothstep(t) - t))


def _cover(moves: NDArray[np.bool_]) -> NDArray[np.float32]:
    """1 where anything moves, falling to 0 around it, and 0 on the border."""
    wide = cv2.blur(cv2.dilate(moves.astype(np.float32), np.ones((5, 5), np.float32)), (5, 5))
    cover = np.asarray(wide, np.float32)
    cover[[0, -1]] = cover[:, [0, -1]] = 0.0
    cover[cover < _MASK_MIN] = 0.0
    return cover
