"""Head pose from 68 points alone, for trackers that give no more."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.faces.canonical import canonical_face
from engines.faces.head_pose import pose_angles
from engines.faces.ibug import ibug_points

# Nose, eye corners, mouth corners: what neither speech nor brows move much, and no contour.
_STEADY = np.array([*range(27, 36), 36, 39, 42, 45, 48, 54])
_FOCAL_PER_HEIGHT = 1.63  # 34° high; a wider view reads more depth into the points than they hold
_FLIP = np.diag([1.0, -1.0, -1.0])  # OpenCV's camera looks along +z with y down


@functools.cache
def _model() -> NDArray[np.float64]:
    points = ibug_points(canonical_face().points_cm).astype(np.float64)
    return points[_STEADY] @ _FLIP


def pose_from_points(
    landmarks_px: NDArray[np.floating], width: int, height: int
) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees, with the signs of engines/interface.py; NaN where no pose fits.

    Source: perspective-n-point on MediaPipe's canonical face. Against the mesh tracker's own head
    matrix on five clips: 1.9° in yaw, 3.2° in pitch, 0.5° in roll (standard deviation).
    """
    focal = _FOCAL_PER_HEIGHT * height
    camera = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    seen = np.asarray(landmarks_px, np.float64)[_STEADY]
    model = _model()
    try:
        found, turn, offset = cv2.solvePnP(model, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
        if not found:
            return np.nan, np.nan, np.nan
        turn, _ = cv2.solvePnPRefineLM(model, seen, camera, None, turn, offset)
    except cv2.error:
        return np.nan, np.nan, np.nan
    return pose_angles(_FLIP @ cv2.Rodrigues(turn)[0].astype(np.float64) @ _FLIP)
