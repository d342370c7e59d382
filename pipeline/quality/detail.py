"""The changed skin: where it is, how sharp it is there, and how its border shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CHANGED = 5.0
"""8-bit levels of smoothed difference from which a place counts as changed: above a lossy encoder's
own (1–3), below what a moved feature makes (20 and more)."""
_SMOOTH_PX = 1.5
_LEAST_PIXELS = 64


def change_map(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    """`(H, W)` float32 smoothed absolute difference of two grey pictures, 8-bit levels."""
    difference = cv2.absdiff(before, after).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(difference, (0, 0), _SMOOTH_PX), np.float32)


def changed_mask(change: NDArray[np.float32], threshold: float = CHANGED) -> NDArray[np.uint8]:
    """`(H, W)` uint8, 255 where the picture was changed."""
    return (change >= threshold).astype(np.uint8) * np.uint8(255)


def sharpness(
    before: NDArray[np.uint8], after: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> float:
    """RMS of the Laplacian inside the mask, after over before; NaN for a mask of a few pixels."""
    if cv2.countNonZero(mask) < _LEAST_PIXELS:
        return float("nan")
    fine, plate = (cv2.Laplacian(image, cv2.CV_32F) for image in (after, before))
    below = float(cv2.norm(plate, cv2.NORM_L2, mask))
    return float(cv2.norm(fine, cv2.NORM_L2, mask)) / below if below > 0 else float("nan")


def seam(before: NDArray[np.uint8], after: NDArray[np.uint8], mask: NDArray[np.uint8]) -> float:
    """The change's step across the border of the changed area, 8-bit levels per pixel, 95th
    percentile over the border; 0 where nothing was changed.

    A soft border fades in over many pixels; a hard one jumps within two.
    """
    if cv2.countNonZero(mask) < _LEAST_PIXELS:
        return 0.0
    # Texture that moved has no mean and vanishes here; a step between levels stays.
    low = cv2.GaussianBlur(after.astype(np.float32) - before, (0, 0), 4.0)
    step = np.hypot(cv2.Sobel(low, cv2.CV_32F, 1, 0), cv2.Sobel(low, cv2.CV_32F, 0, 1)) / 8
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    ring = cv2.morphologyEx(closed, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    return float(np.percentile(step[ring > 0], 95)) if ring.any() else 0.0
