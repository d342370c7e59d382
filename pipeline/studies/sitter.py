"""Somebody who sits for a study: one picture, its largest face, and everything asked of it.

The picture goes the way of a frame of footage: the crop of pipeline/faces/align.py, the editor, its
mask, the difference pasted into the frame's own samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.interface import AUEstimator, Face, FaceEditor, FaceTracker, RGBFrame
from keyframes.au import AU_ORDER, LID_NAMES, AUDelta
from pipeline.edit.batcher import CropRequest, edit_crops
from pipeline.edit.open_frame import OpenFrame, Paste
from pipeline.edit.plan import edits_of
from pipeline.edit.shown import shown
from pipeline.errors import PipelineError
from pipeline.faces.faces import Analysis, largest_first
from pipeline.media.read.inspection import inspect_video
from pipeline.pictures import WHOLE

OPEN = np.zeros(len(LID_NAMES), np.float32)
"""Eyes are left as they are: no unit of a study shuts them."""


@dataclass(frozen=True)
class Seen:
    """A face in one picture: `(12,)` intensities in AU_ORDER."""

    face: Face
    intensity: NDArray[np.float32]

    @property
    def pose(self) -> NDArray[np.float64]:
        """`(3,)` yaw, pitch, roll in degrees."""
        return np.array([self.face.yaw, self.face.pitch, self.face.roll])


class Sitter:
    """One picture, open, with its largest face measured.

    Args:
        plate: a clip whose first frame is the picture.

    Attributes:
        picture: `(H, W, 3)` uint8 RGB.
        seen: its face; for an estimator that measures against a face at rest, this picture is that
            rest, and reads as 0.
    Raises:
        PipelineError: no face, or a file that cannot be read.
    """

    def __init__(self, plate: Path, tracker: FaceTracker, estimator: AUEstimator) -> None:
        self._inspection = inspect_video(str(plate))
        self._frame = OpenFrame(self._inspection, 0)
        self._tracker, self._estimator = tracker, estimator
        self.picture = self._frame.shown()
        face = self._largest(self.picture)
        if face is None:
            raise PipelineError(f"{plate.stem}: no face was found in the picture")
        self._neutral = estimator.neutral(self._features(self.picture, face))
        self.seen = self._seen(self.picture, face)

    def made(
        self, editor: FaceEditor, deltas: NDArray[np.float32], seed: int
    ) -> Iterator[RGBFrame]:
        """The picture under each of `(K, 12)` deltas, in order; full batches only."""
        request = self._request(editor)
        for first in range(0, len(deltas), editor.batch_size):
            batch = [request.asking(delta) for delta in deltas[first : first + editor.batch_size]]
            for edit in edit_crops(editor, batch, seed):
                back = Paste(WHOLE, edit, request.coded_from_crop, request.code)
                yield self._frame.pasted([back])

    def read(self, picture: RGBFrame) -> Seen | None:
        """The largest face of an edited picture, measured as this one was; None without a face."""
        face = self._largest(picture)
        return self._seen(picture, face) if face is not None else None

    def _largest(self, picture: RGBFrame) -> Face | None:
        return next(iter(largest_first(self._tracker.track([picture])[0])), None)

    def _features(self, picture: RGBFrame, face: Face) -> NDArray[np.float32]:
        return self._estimator.measure([picture], [[face]])[0]

    def _seen(self, picture: RGBFrame, face: Face) -> Seen:
        values = self._estimator.intensity(self._features(picture, face), self._neutral).values
        return Seen(face, values[0])

    def _request(self, editor: FaceEditor) -> _Crop:
        crop = editor.crop_size, bool(getattr(editor, "any_size", False))
        every = AUDelta(np.ones((1, len(AU_ORDER)), np.float32))
        seen = Analysis.of_frame(1, 0, [self.seen.face], self.seen.intensity[None])
        measured = seen.intensity_over_time(0)
        plan = edits_of(self._inspection, seen, 0, every, measured, crop)
        where = plan.coded_from_crop[0]
        code = self._frame.crop(WHOLE, where, int(plan.size[0]))
        image = shown(self._inspection.info, code)
        return _Crop(code, image, plan.landmarks_px[0], plan.pose[0], where)


@dataclass(frozen=True)
class _Crop:
    code: NDArray[Any]
    image: NDArray[Any]
    landmarks_px: NDArray[np.float32]
    pose: NDArray[np.float32]
    coded_from_crop: NDArray[np.float64]

    def asking(self, delta: NDArray[np.float32]) -> CropRequest:
        return CropRequest(self.image, self.landmarks_px, 0, delta, self.pose, OPEN)
