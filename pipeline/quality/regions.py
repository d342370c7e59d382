"""Parts of a picture by the face in it: the hull with the forehead, and what lies outside."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

FOREHEAD = 0.55
"""How far the hull goes on above the brows, in distances from the brows to the chin."""
GROWN = 1.35
"""The background begins where the hull, grown about its centre by this, ends."""


def face_hull(landmarks_px: NDArray[np.floating], grown: float = 1.0) -> NDArray[np.float64]:
    """`(K, 2)` corners of the face's hull, forehead included.

    Args:
        landmarks_px: `(68, 2)` iBUG points.
        grown: size about the hull's centre.
    """
    points = np.asarray(landmarks_px, np.float64)
    up = points[17:27].mean(axis=0) - points[8]
    hull = cv2.convexHull(np.vstack([points, points[17:27] + FOREHEAD * up]).astype(np.float32))
    corners = hull[:, 0].astype(np.float64)
    centre = (corners.min(axis=0) + corners.max(axis=0)) / 2
    return centre + grown * (corners - centre)


def fill(mask: NDArray[np.uint8], hull: NDArray[np.float64], value: int) -> None:
    """Draws a hull into a mask."""
    cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), value)


def face_mask(shape: tuple[int, ...], landmarks_px: NDArray[np.floating]) -> NDArray[np.uint8]:
    """`(H, W)` uint8, 255 on the face."""
    mask = np.zeros(shape[:2], np.uint8)
    fill(mask, face_hull(landmarks_px), 255)
    return mask


def outside_mask(
    shape: tuple[int, ...], faces_px: Sequence[NDArray[np.floating]]
) -> NDArray[np.uint8]:
    """`(H, W)` uint8, 255 outside the grown hulls of all the faces given (before and after)."""
    mask = np.full(shape[:2], 255, np.uint8)
    for landmarks_px in faces_px:
        fill(mask, face_hull(landmarks_px, GROWN), 0)
    return mask
