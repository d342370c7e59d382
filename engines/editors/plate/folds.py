"""Folds of the skin that the shot shows elsewhere, put on a face: lighter and darker, by ratio."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.plate.skin import from_chart

BLACK = 8.0
"""Of 255, added before ratios are taken: in the dark they are noise."""
_MARGIN = 0.03
_MASK_PER_LOG, _MASK_BLUR_PX = 60.0, 4.0
_MASK_MIN = 1 / 512


def draw_folds(
    points_px: NDArray[np.float64],
    folds: NDArray[np.float32],
    edited: NDArray[Any],
    mask: NDArray[np.float32],
) -> None:
    """Multiplies the skin by what folds make of it, in place, and raises the mask there.

    Args:
        points_px: `(P, 2)` crop pixels: the rig's points where they are after the warp.
        folds: `(352, 352)` float32 log ratio on the chart.
        edited: `(S, S, 3)` the crop after the warp.
        mask: `(S, S)` where it changed.
    """
    x0, y0, x1, y1 = box = _box(points_px, len(edited))
    if min(x1 - x0, y1 - y0) < 16:
        return
    log = from_chart(folds, points_px, box)
    cover = _cover(log)
    log[cover == 0.0] = 0.0
    window = np.s_[y0:y1, x0:x1]
    most = np.iinfo(edited.dtype).max
    black = np.float32(BLACK * most / 255)
    part = edited[window].astype(np.float32) + black
    part *= np.exp(log)[..., None]
    part -= black
    edited[window] = np.clip(np.rint(part), 0, most).astype(edited.dtype)
    mask[window] = np.maximum(mask[window], cover)


def _box(points_px: NDArray[np.float64], size: int) -> tuple[int, int, int, int]:
    """What of a crop may show skin: x0, y0, x1, y1."""
    low, high = points_px.min(axis=0), points_px.max(axis=0)
    margin = _MARGIN * (high - low)
    x0, y0 = np.clip(np.floor(low - margin), 0, size).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(high + margin), 0, size).astype(int).tolist()
    return x0, y0, x1, y1


def _cover(log: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 where the folds show, falling to 0 around them, and 0 on the border."""
    wide = cv2.GaussianBlur(np.abs(log), (0, 0), _MASK_BLUR_PX)
    cover = np.minimum(_MASK_PER_LOG * wide, 1.0)
    cover[[0, -1]] = cover[:, [0, -1]] = 0.0
    cover[cover < _MASK_MIN] = 0.0
    return np.asarray(cover, np.float32)
