"""BlazeFace (short range): boxes and six keypoints of faces in a square part of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.devices.litert import LiteRTModel
from engines.interface import RGBFrame
from engines.trackers.mesh.sampling import Region, sample

SIDE = 128
SCORE_MIN = 0.5
OVERLAP_MAX = 0.5


@dataclass(frozen=True)
class Detection:
    """One face.

    Attributes:
        points: `(8, 2)` float64 frame pixels: two box corners, then six keypoints: image-left eye,
            image-right eye, nose tip, mouth, image-left ear, image-right ear.
        score: 0…1.
    """

    points: NDArray[np.float64]
    score: float

    @property
    def box(self) -> NDArray[np.float64]:
        """`(4,)` x0, y0, x1, y1, frame pixels."""
        return self.points[:2].reshape(4)

    @property
    def keypoints(self) -> NDArray[np.float64]:
        """`(6, 2)` frame pixels."""
        return self.points[2:]


def _anchors() -> NDArray[np.float64]:
    """`(896, 2)` centres 0…1: 16×16 cells of 2, then 8×8 cells of 6, a cell's anchors together."""
    grids = []
    for cells, per_cell in ((16, 2), (8, 6)):
        centres = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
        grids.append(np.repeat(grid, per_cell, axis=0))
    return np.concatenate(grids)


_ANCHORS = _anchors()


def letterbox(width: int, height: int) -> Region:
    """The centred square that holds the whole frame."""
    side = float(max(width, height))
    return Region(width / 2, height / 2, side, side)


def box_overlap(
    box: NDArray[np.floating], others: NDArray[np.floating], *, of_smaller: bool = False
) -> NDArray[np.float64]:
    """Shared area of a `(4,)` box with `(N, 4)` others, as a part of the union (IoU) or, with
    `of_smaller`, of the smaller box; 0 where either is empty."""
    corners = np.asarray(others, np.float64).reshape(-1, 4)
    one = np.asarray(box, np.float64)
    low, high = np.maximum(one[:2], corners[:, :2]), np.minimum(one[2:], corners[:, 2:])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=1)
    area = float(np.prod(np.clip(one[2:] - one[:2], 0.0, None)))
    areas = np.prod(np.clip(corners[:, 2:] - corners[:, :2], 0.0, None), axis=1)
    whole = np.minimum(area, areas) if of_smaller else area + areas - shared
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def merge(points: NDArray[np.float64], scores: NDArray[np.float64]) -> list[Detection]:
    """Weighted non-maximum suppression of `(N, 8, 2)` candidates, best first.

    Boxes that share more than half of their union with the best become one: the score-weighted mean
    of all corners and keypoints, with the best score.
    """
    left = np.argsort(-scores, kind="stable")
    found: list[Detection] = []
    while len(left):
        boxes = points[left, :2].reshape(-1, 4)
        close = box_overlap(boxes[0], boxes) > OVERLAP_MAX
        close[0] = True  # a box without area shares nothing, not even with itself
        members = left[close]
        mean = np.average(points[members], axis=0, weights=scores[members])
        found.append(Detection(mean, float(scores[left[0]])))
        left = left[~close]
    return found


class FaceDetector:
    """Finds faces down to about 11 % of the searched square's side."""

    def __init__(self, model: bytes, *, threads: int) -> None:
        self._model = LiteRTModel(model, threads=threads)

    def detect(self, frame: RGBFrame, square: Region) -> list[Detection]:
        """Faces in a square of the frame, best first; a score is at least 0.5."""
        pixels = sample(frame, square, SIDE, replicate=False)
        tensor = (pixels.astype(np.float32)[None] - np.float32(127.5)) / np.float32(127.5)
        out = self._model(tensor)
        logits = np.clip(out["classificators"].reshape(-1).astype(np.float64), -100.0, 100.0)
        scores = 1.0 / (1.0 + np.exp(-logits))
        keep = scores >= SCORE_MIN
        values = out["regressors"].reshape(-1, 8, 2)[keep].astype(np.float64) / SIDE
        values[:, 0] += _ANCHORS[keep]  # centre; [:, 1] is the size
        values[:, 2:] += _ANCHORS[keep, None]
        half = values[:, 1] / 2
        values[:, 0], values[:, 1] = values[:, 0] - half, values[:, 0] + half
        return merge(square.to_frame(values), scores[keep])


def drop_shared(found: Sequence[Detection]) -> list[Detection]:
    """Best first, without those that share more than half of the smaller box with a better one."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda d: -d.score):
        others = np.array([d.box for d in kept]).reshape(-1, 4)
        if not (box_overlap(one.box, others, of_smaller=True) > 0.5).any():
            kept.append(one)
    return kept
