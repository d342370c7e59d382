"""Hands beside or over a face, by MediaPipe's palm and hand networks in LiteRT.

The palm network alone fires on noses and ear-rings; what it finds counts only where the hand
network, looking at that place, is sure of a hand: on real hands it says .965 and more, on 35 false
palms of five clips .52 at most.
"""

from __future__ import annotations

import lzma

import numpy as np
from numpy.typing import NDArray

from engines.devices.litert import LiteRTModel, packaged_model
from engines.interface import RGBFrame
from engines.trackers.mesh.detector import box_overlap
from engines.trackers.mesh.sampling import Region, sample

PALMS, HAND = "palm_detection_full.tflite.xz", "hand_landmark_full.tflite.xz"
POINTS = 21
"""Wrist, then four of each finger from the thumb, root to tip."""
PALM_SIDE, HAND_SIDE = 192, 224
PALM_MIN, PRESENCE_MIN = 0.5, 0.8
HANDS_MAX = 2
PALMS_LOOKED_AT = 2
REGION_GROWN, REGION_SHIFT = 2.6, -0.5
"""From a palm's box to the hand's: sides, and how far towards the fingers (MediaPipe's graph)."""
_WRIST, _MIDDLE_ROOT = 2, 4  # of a palm's nine points, the first two of which are its box


def _anchors() -> NDArray[np.float64]:
    """`(2016, 2)` centres 0…1: 24×24 cells of 2, then 12×12 cells of 6."""
    grids = []
    for cells, per_cell in ((24, 2), (12, 6)):
        centres = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
        grids.append(np.repeat(grid, per_cell, axis=0))
    return np.concatenate(grids)


_ANCHORS = _anchors()


class HandFinder:
    """Finds up to two hands in a square of a picture; about 11 ms without any, 9 more for each."""

    def __init__(self, *, threads: int = 1) -> None:
        self._palms, self._hand = (
            LiteRTModel(lzma.decompress(packaged_model(name)), threads=threads)
            for name in (PALMS, HAND)
        )

    def find(self, picture: RGBFrame, square: Region) -> NDArray[np.float32]:
        """`(K, 21, 2)` float32 points of the hands, K ≤ HANDS_MAX, picture pixels; surest first."""
        found: list[NDArray[np.float64]] = []
        for palm in self._palms_in(picture, square):
            points, presence = self._look(picture, _region(palm))
            boxes = np.array([_box(hand) for hand in found]).reshape(-1, 4)
            is_new = not (box_overlap(_box(points), boxes, of_smaller=True) > 0.5).any()
            if presence >= PRESENCE_MIN and is_new:
                found.append(points)
            if len(found) == HANDS_MAX:
                break
        return np.array(found, np.float32).reshape(-1, POINTS, 2)

    def _palms_in(self, picture: RGBFrame, square: Region) -> list[NDArray[np.float64]]:
        """`(9, 2)` box corners and seven points of each palm, picture pixels, surest first."""
        pixels = sample(picture, square, PALM_SIDE, replicate=False)
        out = self._palms(pixels.astype(np.float32)[None] / np.float32(255))
        logits = np.clip(out["Identity_1"].reshape(-1).astype(np.float64), -100.0, 100.0)
        scores = 1.0 / (1.0 + np.exp(-logits))
        keep = np.flatnonzero(scores >= PALM_MIN)
        values = out["Identity"].reshape(-1, 9, 2)[keep].astype(np.float64) / PALM_SIDE
        values[:, 0] += _ANCHORS[keep]  # the box's centre; [:, 1] is its size
        values[:, 2:] += _ANCHORS[keep, None]
        half = values[:, 1] / 2
        values[:, 0], values[:, 1] = values[:, 0] - half, values[:, 0] + half
        palms: list[NDArray[np.float64]] = []
        for number in np.argsort(-scores[keep], kind="stable"):
            palm = square.to_frame(values[number])
            boxes = np.array([one[:2].reshape(4) for one in palms]).reshape(-1, 4)
            if not (box_overlap(palm[:2].reshape(4), boxes) > 0.3).any():
                palms.append(palm)
            if len(palms) == PALMS_LOOKED_AT:
                break
        return palms

    def _look(self, picture: RGBFrame, region: Region) -> tuple[NDArray[np.float64], float]:
        pixels = sample(picture, region, HAND_SIDE, replicate=False)
        out = self._hand(pixels.astype(np.float32)[None] / np.float32(255))
        points = out["Identity"].reshape(POINTS, 3)[:, :2] / HAND_SIDE
        return region.to_frame(points), float(out["Identity_1"].reshape(-1)[0])


def _region(palm: NDArray[np.float64]) -> Region:
    """Where the hand of a palm lies, turned so that its fingers point up."""
    (x0, y0), (x1, y1) = palm[0], palm[1]
    along = palm[_MIDDLE_ROOT] - palm[_WRIST]
    angle = float(np.pi / 2 - np.arctan2(-along[1], along[0]))
    side = max(x1 - x0, y1 - y0)
    shift = REGION_SHIFT * side
    cx = (x0 + x1) / 2 - np.sin(angle) * shift
    cy = (y0 + y1) / 2 + np.cos(angle) * shift
    return Region(float(cx), float(cy), REGION_GROWN * side, REGION_GROWN * side, angle)


def _box(points: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(np.float64)
