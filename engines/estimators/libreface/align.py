"""The face crop LibreFace's network was trained on, cut in one warp.

Source of the rule: LibreFace 0.2.0, `detect_mediapipe_image.py` (the square of FFHQ, Karras et al.
2019, from mesh points). What the library adds beyond the frame's edge, a blurred fade into the
picture's median, is plain black here.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import Face, RGBFrame

SIDE = 512

# fmt: off
_EYE_LEFT = [33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173]
_EYE_RIGHT = [263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398]
_LIPS = [
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
]
# fmt: on


def _quarter_turn(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([-vector[1], vector[0]])


def crop_corners(face: Face) -> NDArray[np.float64]:
    """`(3, 2)` frame pixels: the square's upper left, upper right and lower left corner.

    Of a face without mesh the 68 points stand for the same eyes and lips.
    """
    if face.mesh_px is not None:
        mesh = face.mesh_px[:, :2].astype(np.float64)
        left, right, lips = mesh[_EYE_LEFT], mesh[_EYE_RIGHT], mesh[_LIPS]
    else:
        points = face.landmarks_px.astype(np.float64)
        left, right, lips = points[36:42], points[42:48], points[48:68]
    eye_left, eye_right = left.mean(axis=0), right.mean(axis=0)
    mouth = (lips[lips[:, 0].argmin()] + lips[lips[:, 0].argmax()]) / 2
    eyes = (eye_left + eye_right) / 2
    across, down = eye_right - eye_left, mouth - eyes
    x = across - _quarter_turn(down)
    x *= max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down)) / np.hypot(*x)
    y = _quarter_turn(x)
    centre = eyes + 0.1 * down
    return np.stack([centre - x - y, centre + x - y, centre - x + y])


def aligned_face(frame: RGBFrame, face: Face) -> NDArray[np.uint8]:
    """`(512, 512, 3)` uint8 RGB, the face upright; black beyond the frame."""
    corners = crop_corners(face)
    # A face larger than the crop is read finely and averaged, or it would alias.
    fine = max(1, round(float(np.linalg.norm(corners[1] - corners[0])) / SIDE))
    side = SIDE * fine
    step_x, step_y = (corners[1:] - corners[0]) / side
    frame_from_crop = np.column_stack([step_x, step_y, corners[0] + (step_x + step_y) / 2])
    crop = cv2.warpAffine(
        frame, frame_from_crop, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    if fine > 1:
        crop = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return crop.astype(np.uint8, copy=False)
