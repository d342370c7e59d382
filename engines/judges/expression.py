"""What a face seems to express, by a second network that has never seen an action unit.

A second opinion on an edit, independent of the estimator that planned it: of 32 faces with a smile
from the preview editor it read "happy" .57 instead of .28 on average, but it rose in only 16 of
them. So it says "read as happy: yes or no", and nothing about accuracy. Its training data are not
disclosed (npm `@vladmandic/face-api` 1.7.15, MIT), so no claim is made for any group of people.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from engines.judges.packaged import PackagedNetwork

FILE = "face_expression.onnx"
EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
SIDE = 112
BOX_GROWN = 1.15
_HULL_TO_BOX, _RAISED = 1.033, 0.174  # a detector's box, from the 68 points (pipeline/faces/align)


def expression_square(landmarks_px: NDArray[np.floating]) -> tuple[float, float, float]:
    """Centre x, centre y and side of the square the network is shown, frame pixels."""
    low, high = landmarks_px.min(axis=0), landmarks_px.max(axis=0)
    width = _HULL_TO_BOX * float(high[0] - low[0])
    x, y = (low + high) / 2
    return float(x), float(y) - _RAISED * width / 2, BOX_GROWN * width


def expression_crop(frame: RGBFrame, landmarks_px: NDArray[np.floating]) -> NDArray[np.uint8]:
    """`(112, 112, 3)` uint8 RGB, the face in its square; the frame's edge is continued."""
    x, y, side = expression_square(landmarks_px)
    shrink = max(1, int(side / SIDE + 0.5))
    scale = SIDE * shrink / max(side, 1e-6)
    large = SIDE * shrink
    affine = np.array([[scale, 0, large / 2 - scale * x], [0, scale, large / 2 - scale * y]])
    crop = cv2.warpAffine(
        frame, affine, (large, large), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if shrink > 1:
        crop = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


class ExpressionJudge:
    """Reads a face as one of seven expressions."""

    def __init__(self) -> None:
        self._network = PackagedNetwork(FILE)

    def read(self, frame: RGBFrame, landmarks_px: NDArray[np.floating]) -> NDArray[np.float32]:
        """`(7,)` float32 probabilities in the order of EXPRESSIONS, of one face."""
        return self._network(expression_crop(frame, landmarks_px))
