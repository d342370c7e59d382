"""What a mouth and the skin around it look like in this light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import FaceFrame
from engines.editors.rig.lips import Lips, inner_lips

_OUTER_LIPS = np.array([50, 51, 52, 56, 57, 58])
_MOUTH, _AROUND = [48, 54, 57, 51], [4, 12, 8, 33]
_SPOT = 2
DOWN, _ALONG = np.arange(0.06, 0.93, 0.02), np.linspace(0.28, 0.72, 12)
"""Depths at which an inside is looked at, 0 at the upper lip, 1 at the lower."""


@dataclass(frozen=True)
class MouthColours:
    """Colours on the crop's scale.

    Attributes:
        skin: `(3,)` float32, around the mouth.
        lips: `(3,)` float32.
        inside: `(44, 12, 3)` float32, between the lips in the middle of the mouth, at DOWN.
    """

    skin: NDArray[np.float32]
    lips: NDArray[np.float32]
    inside: NDArray[np.float32]


def mouth_colours(
    frame: FaceFrame, points: NDArray[np.float64], image: NDArray[Any]
) -> MouthColours:
    """Of a crop and its `(P, 2)` control points, face units."""
    points_px = frame.to_px(points)
    x, y = np.clip(np.rint(points_px[_OUTER_LIPS]).astype(int), 0, len(image) - 1).T
    lips = image[y, x].mean(axis=0, dtype=np.float64).astype(np.float32)
    inside = _inside(frame, inner_lips(points), image)
    return MouthColours(skin_colour(image, points_px), lips, inside)


def skin_colour(image: NDArray[Any], points_px: NDArray[np.floating]) -> NDArray[np.float32]:
    """`(3,)` of a picture with 68 landmarks: median of spots between lips and jaw or nose."""
    points = np.asarray(points_px, np.float64)
    lips, around = points[_MOUTH], points[_AROUND]
    spots = np.concatenate([0.62 * lips + 0.38 * around, 0.45 * lips + 0.55 * around])
    last = np.array(image.shape[1::-1]) - 1 - _SPOT
    means: list[NDArray[np.float64]] = []
    for x, y in np.clip(np.rint(spots), _SPOT, last).astype(int).tolist():
        spot = image[y - _SPOT : y + _SPOT + 1, x - _SPOT : x + _SPOT + 1]
        means.append(spot.reshape(-1, 3).mean(axis=0))
    return np.median(means, axis=0).astype(np.float32)


def _inside(frame: FaceFrame, lips: Lips, image: NDArray[Any]) -> NDArray[np.float32]:
    x = lips.x[0] + _ALONG * (lips.x[-1] - lips.x[0])
    y = np.interp(x, lips.x, lips.top) + DOWN[:, None] * np.interp(x, lips.x, lips.gap)
    at = frame.to_px(np.stack([np.broadcast_to(x, y.shape), y], axis=-1)).astype(np.float32)
    nothing: Any = None
    seen = cv2.remap(image, at, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return seen.astype(np.float32)
