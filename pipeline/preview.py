"""One frame of a clip under any curve, by one editor, as RGB: what a page or a notebook shows.

The frame is decoded and its faces are found once; each further curve costs the edit and its paste.
Both are those of a run, so the picture is the run's before encoding, but for the crop: here it
follows this frame alone, in a run also the frames around it; an editor that borrows from other
frames (plate) is lent nothing here; and a frame that is two fields is edited as one moment.
"""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import AUEstimator, Face, FaceEditor, FaceTracker, RGBFrame
from engines.trackers.mesh.jaw import with_mesh_jaw
from keyframes.au import AU_ORDER
from keyframes.clock.instant import parse_instant
from keyframes.sheet import KeyframeSheet
from pipeline.edit.batcher import CropEdit, CropRequest, edit_crops
from pipeline.edit.open_frame import OpenFrame, decoded
from pipeline.edit.plan import EditPlan, plan_edits
from pipeline.edit.render import crop_request
from pipeline.errors import PipelineError
from pipeline.faces.faces import Analysis, largest_first
from pipeline.faces.recognise import recognise, refuse_doubts
from pipeline.faces.sightings import ACCEPT
from pipeline.media.read.decode import display_rgb
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.views.flat import flat_told

REST_FRAMES = 8
"""Key frames that are looked at for the face at rest, beside the frame itself."""


class Picture(np.ndarray):
    """`(H, W, 3)` uint8 RGB, full range; a notebook shows it."""

    def _repr_png_(self) -> bytes | None:
        if self.ndim != 3 or self.shape[2] != 3 or self.dtype != np.uint8:
            return None  # a part or a result of arithmetic that is no picture
        return cv2.imencode(".png", np.ascontiguousarray(self[..., ::-1]))[1].tobytes()


class FramePreview:
    """One frame of a clip, kept decoded with its faces.

    An action unit that a curve sets, scales or neutralises is measured against the face at rest,
    which is taken from up to REST_FRAMES key frames; where faces differ in size from shot to shot,
    the n-th largest counts as the same face.

    Args:
        source: the clip.
        at: when, as times are written in curves: `1.2`, `1.2s`, `30f`, `50%`, a timecode; the frame
            that is shown then.
        seed: of the editor's noise.
        view: what is shown of footage that is no display picture, of `checked_view`.
    Attributes:
        number: of the frame in its clip.
        original: as it is, upright, in square pixels.
        faces: how many were found.
        warnings: what a person should know of the footage, one line each.
    Raises:
        PipelineError: a clip that cannot be read, a time outside it.
        KeyframeError: not a time.
    """

    def __init__(
        self,
        source: Path,
        at: str | float,
        tracker: FaceTracker,
        estimator: AUEstimator,
        editor: FaceEditor,
        *,
        seed: int = 424,
        view: str = "",
    ) -> None:
        self._inspection = inspect_video(str(source), view)
        self.warnings = flat_told(self._inspection.info)
        self.number = frame_shown_at(self._inspection, at)
        self._frame = OpenFrame(self._inspection, self.number)
        self._editor, self._seed = editor, seed
        self._editing = threading.Lock()
        self._crops: dict[int, NDArray[np.uint8] | NDArray[np.uint16]] = {}
        self.original = self._frame.shown().view(Picture)
        original = self.original.view(np.ndarray)
        faces = largest_first(with_mesh_jaw(original, tracker.track([original])[0]))
        self.faces = len(faces)
        self._analysis = self._analysed(faces, tracker, estimator)

    def under(self, sheet: KeyframeSheet) -> Picture:
        """The frame as the curve asks for it.

        Raises:
            KeyframeError: the curve does not fit this clip.
            EngineError: the editor refuses.
            PipelineError: a face may be somebody whom the curve names, or may not.
        """
        parts = self._inspection, self._analysis, sheet
        who = recognise(*parts, few=ACCEPT)  # one frame is all there is
        refuse_doubts(who, self._inspection)
        any_size = bool(getattr(self._editor, "any_size", False))
        plan = plan_edits(*parts, self._editor.crop_size, who, any_size=any_size).plan
        edits: list[tuple[CropEdit, NDArray[np.float64]]] = []
        for row in plan.at(self.number):
            with self._editing:
                (edit,) = edit_crops(self._editor, [self._request(plan, row)], self._seed)
            edits.append((edit, plan.coded_from_crop[row]))
        return self._frame.pasted(edits).view(Picture)

    def _request(self, plan: EditPlan, row: int) -> CropRequest:
        """One face for the editor; its crop is the same under every curve."""
        face = int(plan.track[row])
        if face not in self._crops:
            self._crops[face] = self._frame.crop(plan.coded_from_crop[row], int(plan.size[row]))
        return crop_request(plan, row, self._crops[face])

    def _analysed(
        self, faces: list[Face], tracker: FaceTracker, estimator: AUEstimator
    ) -> Analysis:
        """An analysis of the clip that knows this one frame."""
        count, picture = len(faces), self.original.view(np.ndarray)
        intensity = np.zeros((count, len(AU_ORDER)), np.float32)
        if count:
            (features,) = estimator.measure([picture], [faces])
            seen = [features, *self._elsewhere(tracker, estimator)]
            for face in range(count):
                rest = estimator.neutral(np.stack([f[face] for f in seen if len(f) > face]))
                intensity[face] = estimator.intensity(features[face : face + 1], rest).values[0]
        return Analysis.of_frame(self._inspection.frames, self.number, faces, intensity)

    def _elsewhere(self, tracker: FaceTracker, estimator: AUEstimator) -> list[NDArray[np.float32]]:
        """Features of the faces in other frames, largest first."""
        keys = np.flatnonzero(self._inspection.index.is_key)
        spread = keys[np.linspace(0, len(keys) - 1, min(REST_FRAMES, len(keys))).astype(int)]
        found: list[NDArray[np.float32]] = []
        for number in spread[spread != self.number]:
            frame = decoded(self._inspection, int(number))
            picture: RGBFrame = display_rgb(frame, self._inspection.info)
            faces = largest_first(with_mesh_jaw(picture, tracker.track([picture])[0]))
            found += estimator.measure([picture], [faces])
        return found


def frame_shown_at(inspection: Inspection, at: str | float) -> int:
    """The number of the frame that is shown at a time.

    Raises:
        KeyframeError: not a time.
        PipelineError: outside the clip.
    """
    seconds, timeline = parse_instant(at).at(inspection.timeline), inspection.timeline
    if not 0 <= seconds <= timeline.duration_s:
        raise PipelineError(
            f"{inspection.info.path}: got time {at}; expected 0 to {timeline.duration_s:.3f} s"
        )
    shown = int(np.searchsorted(timeline.times_s, seconds + 1e-6, side="right")) - 1
    return max(0, shown)
