"""The 17 jaw dots that MagicFace's background image carries: they tell the head's outline.

Source: MagicFace's preprocessing as fitted on its official samples: jaw points 0–16 drawn in a
256-pixel frame aligned by five points, warped back to the crop.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# int(255 · rainbow(linspace(0, 1, 70)))[:17] of matplotlib, each triple reversed; RGB.
# fmt: off
DOT_COLOURS = np.array([
    (255, 0, 127), (254, 9, 121), (254, 21, 113), (254, 34, 105), (254, 43, 99), (253, 56, 91),
    (252, 68, 83), (251, 77, 77), (250, 89, 69), (249, 100, 61), (248, 112, 53), (247, 120, 47),
    (245, 131, 39), (243, 142, 31), (242, 149, 25), (240, 159, 17), (238, 169, 9),
], np.uint8)
# fmt: on
"""`(17, 3)` RGB of the dots, image left to right."""

ALIGNED_SIZE = 256
RADIUS = 2
# Eye centres, nose tip, mouth corners in the aligned frame.
_TEMPLATE = np.array(
    [
        [92.5892, 103.3926],
        [163.0636, 103.0028],
        [128.0504, 143.4732],
        [99.0986, 184.7310],
        [157.4598, 184.4082],
    ]
)


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """The `(2, 3)` rotation, scale and shift that takes `(P, 2)` points closest to others.

    Least squares over complex numbers z·p + c (Umeyama 1991 without reflections).
    """
    p = source.astype(np.float64) @ np.array([1, 1j])
    q = target.astype(np.float64) @ np.array([1, 1j])
    centred = p - p.mean()
    z = np.vdot(centred, q - q.mean()) / np.vdot(centred, centred)
    shift = q.mean() - z * p.mean()
    return np.array([[z.real, -z.imag, shift.real], [z.imag, z.real, shift.imag]])


def aligned_from_crop(landmarks_px: NDArray[np.float32]) -> NDArray[np.float64]:
    """`(2, 3)`: crop pixels of `(68, 2)` landmarks → the 256-pixel aligned frame."""
    eyes = landmarks_px[36:42].mean(axis=0), landmarks_px[42:48].mean(axis=0)
    five = np.stack([*eyes, landmarks_px[30], landmarks_px[48], landmarks_px[54]])
    return similarity(five, _TEMPLATE)


def jaw_dots(landmarks_px: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    """The dots on black, `(size, size, 3)` uint8 RGB, from `(68, 2)` crop pixels."""
    aligned = aligned_from_crop(landmarks_px)
    jaw = landmarks_px[:17].astype(np.float64) @ aligned[:, :2].T + aligned[:, 2]
    canvas = np.zeros((ALIGNED_SIZE, ALIGNED_SIZE, 3), np.uint8)
    for (x, y), colour in zip(np.rint(jaw), DOT_COLOURS, strict=True):
        cv2.circle(canvas, (int(x), int(y)), RADIUS, tuple(map(int, colour)), cv2.FILLED)
    back = cv2.invertAffineTransform(aligned)
    return cv2.warpAffine(canvas, back, (size, size), flags=cv2.INTER_LINEAR).astype(np.uint8)
