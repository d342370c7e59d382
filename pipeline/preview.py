"""One frame of a clip under any curve, by one editor, as RGB: what a page or a notebook shows.

The frame is decoded and its faces are found once, of a frame that is two fields in each; further
curves cost the edit and its paste. All steps are a run's, what fades an edit behind hands and
things too, so the picture is the run's before encoding but for what other frames say: here the crop
follows this frame alone, and an editor that borrows from others (plate) is lent nothing.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import AUEstimator, FaceEditor, FaceTracker
from engines.segmenters.multiclass import MulticlassSegmenter
from engines.trackers.mesh.jaw import with_mesh_jaw
from keyframes.clock.instant import parse_instant
from keyframes.sheet import KeyframeSheet
from pipeline.edit.batcher import edit_crops
from pipeline.edit.open_frame import OpenFrame, Paste, decoded
from pipeline.edit.plan import EditPlan, plan_edits
from pipeline.edit.render import behind_all, crop_request
from pipeline.edit.shown import shown
from pipeline.errors import PipelineError
from pipeline.faces.chunks import Chunk, analyse_pictures
from pipeline.faces.faces import Analysis, Rests, assemble, largest_first
from pipeline.faces.nearby import one_moment_near
from pipeline.faces.recognise import recognise, refuse_doubts
from pipeline.faces.sightings import ACCEPT
from pipeline.faces.stretches import Stretches
from pipeline.media.read.decoding.decode import display_rgb
from pipeline.media.read.decoding.pictures import PictureReader
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.views.flat import flat_told
from pipeline.pictures import SECOND
from pipeline.settings import Moments

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
        segmenter: tells what is before a face, besides hands.
        moments: how many the fields of the frame show; `auto` asks frames beside it.
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
        segmenter: MulticlassSegmenter | None = None,
        moments: Moments = "auto",
    ) -> None:
        self._inspection = inspect_video(str(source), view)
        self.warnings = flat_told(self._inspection.info)
        self.number = frame_shown_at(self._inspection, at)
        self._frame = OpenFrame(self._inspection, self.number)
        self._editor, self._seed, self._segmenter = editor, seed, segmenter
        self._editing = threading.Lock()
        self._crops: dict[tuple[int, int], NDArray[Any]] = {}
        self.original = self._frame.shown().view(Picture)
        self._analysis = self._analysed(tracker, estimator, moments)
        self.faces = len(np.unique(self._analysis.track))

    def under(self, sheet: KeyframeSheet) -> Picture:
        """The frame as the curve asks for it.

        Raises:
            KeyframeError: the curve does not fit this clip.
            EngineError: the editor refuses.
            PipelineError: a face may be somebody whom the curve names, or may not.
        """
        parts = self._inspection, self._analysis, sheet
        who = recognise(parts[0], self._analysis.by_frame, sheet, few=ACCEPT)  # there are no more
        refuse_doubts(who, self._inspection)
        any_size = bool(getattr(self._editor, "any_size", False))
        plan = plan_edits(*parts, self._editor.crop_size, who, any_size=any_size).plan
        edits = [self._edited(plan, row) for row in plan.at(self.number)]
        return self._frame.pasted(edits).view(Picture)

    def _edited(self, plan: EditPlan, row: int) -> Paste:
        """One face in one picture of the frame; its crop is the same under every curve."""
        face, field = int(plan.track[row]), int(plan.field[row])
        where = plan.coded_from_crop[row]
        if (face, field) not in self._crops:
            self._crops[face, field] = self._frame.crop(field, where, int(plan.size[row]))
        code = self._crops[face, field]
        request = crop_request(plan, row, shown(self._inspection.info, code))
        with self._editing:
            (edit,) = edit_crops(self._editor, [request], self._seed)
            edit = behind_all(edit, plan, row, self._inspection, code, self._segmenter)
        return Paste(field, edit, where, code)

    def _analysed(self, tracker: FaceTracker, estimator: AUEstimator, moments: Moments) -> Analysis:
        """An analysis of the clip that knows this one frame."""
        inspection, here = self._inspection, np.arange(self._inspection.frames)
        chunk = analyse_pictures(iter(self._frame.pictures()), tracker, estimator)
        known = self._rests(chunk, tracker, estimator)
        stretches = Stretches(here == 0, here == self.number)
        how = moments
        if moments == "auto" and len(chunk.in_fields):
            boxes = chunk.box[chunk.field != SECOND]
            how = one_moment_near(inspection, self.number, [*boxes])
        return assemble(inspection.times_s, [chunk], estimator, known, stretches, how)

    def _rests(self, chunk: Chunk, tracker: FaceTracker, estimator: AUEstimator) -> Rests:
        """Of each face, in its first picture here and in other frames of its rank."""
        first = np.flatnonzero(chunk.field != SECOND)
        size = np.prod(chunk.box[first, 2:] - chunk.box[first, :2], axis=1)
        seen = [chunk.features[first[np.argsort(-size)]], *self._elsewhere(tracker, estimator)]
        return {
            (0, face): estimator.neutral(np.stack([f[face] for f in seen if len(f) > face]))
            for face in range(len(first))
        }

    def _elsewhere(self, tracker: FaceTracker, estimator: AUEstimator) -> list[NDArray[np.float32]]:
        """Features of the faces in other frames, largest first; of fields, in the first."""
        info, keys = self._inspection.info, np.flatnonzero(self._inspection.index.is_key)
        spread = keys[np.linspace(0, len(keys) - 1, min(REST_FRAMES, len(keys))).astype(int)]
        found: list[NDArray[np.float32]] = []
        for number in spread[spread != self.number]:
            frame = decoded(self._inspection, int(number))
            picture = display_rgb(PictureReader(info).pictures(frame)[0], info)
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
