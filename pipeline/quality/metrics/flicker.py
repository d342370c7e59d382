"""Steadiness: what is left when a frame is moved onto the next along its own optical flow."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 192
"""Flow is computed on the face at this size: 3 ms a pair, where 512² would take 14."""


@cache
def _flow_engine() -> Any:
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)


@cache
def _places(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """`(H, W, 2)` x and y of every pixel."""
    return np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape[::-1])), -1)


def warp_error(
    earlier: NDArray[np.uint8], later: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> float:
    """Mean absolute difference inside the mask, 8-bit levels, once motion is taken out.

    Args:
        earlier, later: `(S, S)` uint8, the same face in consecutive frames.
        mask: `(S, S)` uint8, 255 on the face.

    Source: Lai et al., "Learning Blind Video Temporal Consistency" (2018), warping error, with
    flow from Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016).
    """
    flow = _flow_engine().calc(later, earlier, None)
    nothing: Any = None
    moved = cv2.remap(
        earlier,
        _places(later.shape) + flow,
        nothing,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return float(cv2.mean(cv2.absdiff(moved, later), mask)[0])


def levelled(landmarks_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """`(N, 68, 2)` points with place, roll and size undone: outer eyes level, 1 apart, centred."""
    points = np.asarray(landmarks_px, np.float64) @ np.array([1, 1j])
    across = points[:, 45] - points[:, 36]
    centre = (points[:, 45] + points[:, 36]) / 2
    turned = (points - centre[:, None]) / across[:, None]
    return np.stack([turned.real, turned.imag], axis=-1)


def landmark_jitter(
    landmarks_px: NDArray[np.floating], restart: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """`(N,)` RMS second difference of a face's points, in outer-eye distances; NaN at its ends.

    Args:
        landmarks_px: `(N, 68, 2)` of one face, frame by frame.
        restart: `(N,)`: a new run begins here (a cut, or frames are missing).
    """
    jitter = np.full(len(landmarks_px), np.nan)
    if len(landmarks_px) < 3:
        return jitter
    points = levelled(landmarks_px)
    bend = points[2:] - 2 * points[1:-1] + points[:-2]
    whole = ~(restart[1:-1] | restart[2:])
    rms = np.sqrt((bend**2).sum(axis=-1).mean(axis=-1))
    jitter[1:-1] = np.where(whole, rms, np.nan)
    return jitter


def ratio(after: NDArray[np.floating], before: NDArray[np.floating]) -> float:
    """Sum over sum where both are known; NaN without any."""
    known = np.isfinite(after) & np.isfinite(before)
    total = float(before[known].sum())
    return float(after[known].sum()) / total if total > 0 else float("nan")
