"""The face-alignment library's detector and landmark network, batched, with fractional answers.

What has been run: everything, with face-alignment 1.5.0 and networks of random weights, and against
the library's own call on them. Its published weights were not at hand, so nothing is claimed of its
accuracy.

face-alignment's wheel asks for opencv-python, which overwrites the headless OpenCV and wants system
libraries; `pip install --no-deps face-alignment` beside numba and tqdm does without.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.devices.torch_device import resolve_device
from engines.errors import EngineError, EngineUnavailableError
from engines.faces.points_pose import pose_from_points
from engines.interface import Face, RGBFrame
from engines.trackers.checks import check_frame
from engines.trackers.fan.crops import crop, crop_square, peaks, to_frame
from engines.trackers.fan.networks import FaceAlignmentNetworks, FaceNetworks, weight_files
from engines.weights.file_hash import file_sha256


class FanTracker:
    """68 points per face by FAN; every frame for itself, so nothing depends on cuts.

    Args:
        weights: folder of the two weight files; None looks under `$TORCH_HOME/hub/checkpoints`.
        device: "cpu" or "cuda"; None takes the GPU where there is one.
        max_faces: most faces per frame.
        score_min: least score of a detection, 0.5…1; the library drops what is below 0.5.
        detect_side: the detector sees frames no larger than this on their longer side.
        batch: frames shown to the detector at once; FAN sees all crops of these frames at once.
        mirror: show FAN each crop mirrored too and add the answers, as the library does.
        networks: a detector and landmark network instead of the library's.

    Raises:
        EngineUnavailableError: weights or device are not here; nothing is ever downloaded.
        EngineError: a setting outside its range, or files that are not these weights.
    """

    def __init__(
        self,
        *,
        weights: str | None = None,
        device: str | None = None,
        max_faces: int = 4,
        score_min: float = 0.5,
        detect_side: int = 720,
        batch: int = 8,
        mirror: bool = True,
        networks: FaceNetworks | None = None,
    ) -> None:
        counts = {"max_faces": max_faces, "detect_side": detect_side, "batch": batch}
        for name, value in counts.items():
            if value < 1:
                raise EngineError(f"fan tracker: got {name} {value}; expected 1 or more")
        if not 0.0 <= score_min <= 1.0:
            raise EngineError(f"fan tracker: got score_min {score_min}; expected 0…1")
        self._max_faces, self._score_min, self._batch = max_faces, score_min, batch
        self._networks: FaceNetworks = networks or FaceAlignmentNetworks(
            weights=_folder(weights),
            device=str(resolve_device(device, "fan tracker")),
            detect_side=detect_side,
            mirror=mirror,
        )

    @staticmethod
    def unavailable(
        *, weights: str | None = None, device: str | None = None, **_: Any
    ) -> str | None:
        """Why it cannot run with these settings, told before anything loads; None when it can."""
        try:
            weight_files(_folder(weights))
            resolve_device(device, "fan tracker")
        except EngineUnavailableError as error:
            return str(error)
        return None

    @staticmethod
    def weights_digest(*, weights: str | None = None, **_: Any) -> str:
        """SHA-256 of both weight files."""
        return " ".join(map(file_sha256, weight_files(_folder(weights))))

    def track(self, frames: Sequence[RGBFrame]) -> list[list[Face]]:
        for frame in frames:
            check_frame(frame)
        tracked: list[list[Face]] = []
        for _, group in groupby(frames, key=lambda frame: frame.shape):
            alike = list(group)
            for first in range(0, len(alike), self._batch):
                tracked += self._tracked(alike[first : first + self._batch])
        return tracked

    def _tracked(self, frames: Sequence[RGBFrame]) -> list[list[Face]]:
        """A few frames of one size."""
        boxes = [self._chosen(found) for found in self._networks.detect(frames)]
        jobs = [(frame, box) for frame, found in zip(frames, boxes, strict=True) for box in found]
        if not jobs:
            return [[] for _ in frames]
        squares = [crop_square(box) for _, box in jobs]
        crops = [crop(frame, square) for (frame, _), square in zip(jobs, squares, strict=True)]
        steps = peaks(self._networks.heatmaps(np.stack(crops)))
        landmarks = map(to_frame, steps, squares)
        faces = iter([_face(*job, points) for job, points in zip(jobs, landmarks, strict=True)])
        return [[next(faces) for _ in found] for found in boxes]

    def _chosen(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        real = (found[:, 2] > found[:, 0]) & (found[:, 3] > found[:, 1])
        return found[real & (found[:, 4] >= self._score_min)][: self._max_faces]


def _face(frame: RGBFrame, box: NDArray[np.float64], landmarks_px: NDArray[np.float32]) -> Face:
    height, width = frame.shape[:2]
    yaw, pitch, roll = pose_from_points(landmarks_px, width, height)
    hull = np.concatenate([landmarks_px.min(axis=0), landmarks_px.max(axis=0)])
    return Face(hull, float(min(box[4], 1.0)), landmarks_px, yaw, pitch, roll)


def _folder(weights: str | None) -> Path | None:
    return None if weights is None else Path(weights).expanduser()
