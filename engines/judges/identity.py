"""Who a face is, by the paper's own network: dlib's face recognition ResNet, 128 numbers.

The distance of two embeddings says how alike two faces are: on 17 clips of 17 people the same
person in the same clip is 0.22 apart on average (0.45 at most), two people 0.46 at least (median
0.84). The paper's own mean, 0.473, lies above the closest pair of different people.

Weights: 8-bit ones of npm `@vladmandic/face-api` 1.7.15 (MIT; dlib's own are CC0), on average 0.036
from dlib itself; distances correlate by 0.9985. Embeddings are biometric data: they are never
written anywhere; what is reported is distances.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from engines.judges.packaged import PackagedNetwork

FILE = "face_identity.onnx.xz"
CHIP_SIDE = 150
CHIP_PADDING = 0.25
EMBEDDING = 128

# Where dlib's mean face has iBUG points 17…67, in units of its own box (dlib,
# `get_face_chip_details`; Boost licence). Brows and lower lip do not take part in the fit.
# fmt: off
_MEAN_X = (
    0.000213256, 0.0752622, 0.18113, 0.29077, 0.393397, 0.586856, 0.689483, 0.799124, 0.904991,
    0.98004, 0.490127, 0.490127, 0.490127, 0.490127, 0.36688, 0.426036, 0.490127, 0.554217,
    0.613373, 0.121737, 0.187122, 0.265825, 0.334606, 0.260918, 0.182743, 0.645647, 0.714428,
    0.793132, 0.858516, 0.79751, 0.719335, 0.254149, 0.340985, 0.428858, 0.490127, 0.551395,
    0.639268, 0.726104, 0.642159, 0.556721, 0.490127, 0.423532, 0.338094, 0.290379, 0.428096,
    0.490127, 0.552157, 0.689874, 0.553364, 0.490127, 0.42689,
)
_MEAN_Y = (
    0.106454, 0.038915, 0.0187482, 0.0344891, 0.0773906, 0.0773906, 0.0344891, 0.0187482, 0.038915,
    0.106454, 0.203352, 0.307009, 0.409805, 0.515625, 0.587326, 0.609345, 0.628106, 0.609345,
    0.587326, 0.216423, 0.178758, 0.179852, 0.231733, 0.245099, 0.244077, 0.231733, 0.179852,
    0.178758, 0.216423, 0.244077, 0.245099, 0.780233, 0.745405, 0.727388, 0.742578, 0.727388,
    0.745405, 0.780233, 0.864805, 0.902192, 0.909281, 0.902192, 0.864805, 0.784792, 0.778746,
    0.785343, 0.778746, 0.784792, 0.824182, 0.831803, 0.824182,
)
# fmt: on
_FITTED = np.array([p for p in range(27, 68) if not (55 <= p <= 59 or 65 <= p <= 67)])


def _chip_points() -> NDArray[np.float64]:
    """`(33, 2)` where the fitted points lie in a chip, pixels."""
    mean = np.column_stack([_MEAN_X, _MEAN_Y])[_FITTED - 17]
    return (CHIP_PADDING + mean) / (2 * CHIP_PADDING + 1) * CHIP_SIDE


_CHIP_POINTS = _chip_points()


def chip_from_frame(landmarks_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """`(2, 3)` frame pixels → chip pixels: the least-squares similarity of dlib's chips.

    Args:
        landmarks_px: `(68, 2)` iBUG points, frame pixels.
    """
    seen = np.asarray(landmarks_px, np.float64)[_FITTED] @ [1, 1j]
    meant = _CHIP_POINTS @ [1, 1j]
    turn = np.vdot(seen - seen.mean(), meant - meant.mean()) / np.vdot(
        seen - seen.mean(), seen - seen.mean()
    )
    shift = meant.mean() - turn * seen.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def face_chip(frame: RGBFrame, landmarks_px: NDArray[np.floating]) -> NDArray[np.uint8]:
    """`(150, 150, 3)` uint8 RGB, the face upright with a quarter of its size around it."""
    affine = chip_from_frame(landmarks_px)
    shrink = max(1, int(1 / np.hypot(affine[0, 0], affine[0, 1]) + 0.5))
    large = (CHIP_SIDE * shrink, CHIP_SIDE * shrink)
    finer = affine * shrink
    finer[:, 2] += (shrink - 1) / 2  # centres of the finer pixels
    chip = cv2.warpAffine(frame, finer, large, flags=cv2.INTER_LINEAR)
    if shrink > 1:  # read finely and averaged, or a large face would alias
        chip = cv2.resize(chip, (CHIP_SIDE, CHIP_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(chip, np.uint8)


class IdentityJudge:
    """Embeds faces; keep the answers in memory only."""

    def __init__(self) -> None:
        self._network = PackagedNetwork(FILE)

    def embed(self, frame: RGBFrame, landmarks_px: NDArray[np.floating]) -> NDArray[np.float32]:
        """`(128,)` float32 of one face; two are compared by their Euclidean distance."""
        return self._network(face_chip(frame, landmarks_px))
