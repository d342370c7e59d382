"""One frame of a clip under any curve, by one editor, as RGB: what a page or a notebook shows.

The frame is decoded and its faces are found once; each further curve costs the edit and its paste.
Both are those of a run, so the picture is the run's before encoding, but for the crop: here it
follows this frame alone, in a run also the frames around it; and an editor that borrows from other
frames (plate) is lent nothing here.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import AUEstimator, Face, FaceEditor, FaceTracker, RGBFrame
from keyframes.au import AU_ORDER, LID_NAMES
from keyframes.clock.instant import parse_instant
from keyframes.sheet import KeyframeSheet
from pipeline.edit.batcher import CropRequest, edit_crops
from pipeline.edit.composite import paste_residual
from pipeline.edit.plan import EditPlan, plan_edits
from pipeline.edit.render import crop_request
from pipeline.errors import PipelineError
from pipeline.faces.faces import Analysis
from pipeline.faces.recognise import recognise, refuse_doubts
from pipeline.faces.sightings import ACCEPT
from pipeline.media.colour import crop_rgb
from pipeline.media.planes import plane_views
from pipeline.media.read.decode import decode_range, display_rgb
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.settings import RenderSettings

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
    Attributes:
        number: of the frame in its clip.
        original: as it is, upright, in square pixels.
        faces: how many were found.
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
    ) -> None:
        self._inspection = inspect_video(str(source))
        self.number = frame_shown_at(self._inspection, at)
        self._frame = _decoded(self._inspection, self.number)
        self._frame.make_writable()
        self._kept = [view.copy() for view in plane_views(self._frame)]
        self._editor, self._seed = editor, seed
        self._lock = threading.Lock()
        self._crops: dict[int, NDArray[np.uint8] | NDArray[np.uint16]] = {}
        self.original = self._shown()
        faces = _by_size(tracker.track([self.original.view(np.ndarray)])[0])
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
        plan = plan_edits(*parts, self._editor.crop_size, who).plan
        rows = list(plan.at(self.number))
        requests = [self._request(plan, row) for row in rows]
        with self._lock:
            try:
                for row, request in zip(rows, requests, strict=True):
                    self._paste(request, plan.coded_from_crop[row])
                return self._shown()
            finally:
                for view, kept in zip(plane_views(self._frame), self._kept, strict=True):
                    view[:] = kept

    def _request(self, plan: EditPlan, row: int) -> CropRequest:
        """One face for the editor; its crop is the same under every curve."""
        face = int(plan.track[row])
        if face not in self._crops:
            where, size = plan.coded_from_crop[row], self._editor.crop_size
            with self._lock:
                self._crops[face] = crop_rgb(
                    self._frame, self._inspection.info, where, size, RenderSettings.border
                )
        return crop_request(plan, row, self._crops[face])

    def _paste(self, request: CropRequest, coded_from_crop: NDArray[np.float64]) -> None:
        (edit,) = edit_crops(self._editor, [request], self._seed)
        info = self._inspection.info
        paste_residual(self._frame, info, edit.residual, edit.mask, coded_from_crop)

    def _shown(self) -> Picture:
        return display_rgb(self._frame, self._inspection.info).view(Picture)

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
        return Analysis(
            frames=self._inspection.frames,
            frame=np.full(count, self.number, np.int64),
            track=np.arange(count, dtype=np.int64),
            bridged=np.zeros(count, bool),
            score=np.array([f.score for f in faces], np.float32),
            pose=np.array([(f.yaw, f.pitch, f.roll) for f in faces], np.float32).reshape(-1, 3),
            box=np.array([f.box for f in faces], np.float32).reshape(-1, 4),
            landmarks_px=np.array([f.landmarks_px for f in faces], np.float32).reshape(-1, 68, 2),
            intensity=intensity,
            lids=np.zeros((count, len(LID_NAMES)), np.float32),  # one frame knows no wider eye
            cut=np.zeros(self._inspection.frames, bool),
        )

    def _elsewhere(self, tracker: FaceTracker, estimator: AUEstimator) -> list[NDArray[np.float32]]:
        """Features of the faces in other frames, largest first."""
        keys = np.flatnonzero(self._inspection.index.is_key)
        spread = keys[np.linspace(0, len(keys) - 1, min(REST_FRAMES, len(keys))).astype(int)]
        found: list[NDArray[np.float32]] = []
        for number in spread[spread != self.number]:
            frame = _decoded(self._inspection, int(number))
            picture: RGBFrame = display_rgb(frame, self._inspection.info)
            faces = _by_size(tracker.track([picture])[0])
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


def _decoded(inspection: Inspection, number: int) -> Any:
    info = inspection.info
    return next(iter(decode_range(info.path, info, inspection.index, number, number)))


def _by_size(faces: list[Face]) -> list[Face]:
    """Largest first, as a run numbers its tracks."""
    return sorted(faces, key=lambda f: (f.box[2] - f.box[0]) * (f.box[3] - f.box[1]), reverse=True)
