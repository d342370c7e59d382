"""A clip with its faces: what every measure of a shot starts from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engines.interface import AUEstimator, FaceTracker, RGBFrame
from pipeline.edit.segments import plan_chunks
from pipeline.errors import PipelineError
from pipeline.faces.chunks import analyse_frames
from pipeline.faces.faces import Analysis, assemble
from pipeline.faces.stretches import Stretches
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.inspection import Inspection
from pipeline.settings import Moments


@dataclass(frozen=True)
class Clip:
    """A video and the faces in it.

    Attributes:
        measured: in all pictures of it, fields too.
    """

    inspection: Inspection
    measured: Analysis

    @cached_property
    def analysis(self) -> Analysis:
        """What is compared: a row per face and frame."""
        return self.measured.by_frame

    @property
    def frames(self) -> int:
        return self.inspection.frames


def measure(
    inspection: Inspection,
    tracker: FaceTracker,
    estimator: AUEstimator,
    plate: Analysis | None = None,
    moments: Moments = "auto",
) -> Analysis:
    """The whole analysis of one clip, in this process.

    Args:
        plate: for an edited clip, its source's, of which the same frames, cuts, fields and faces
            at rest are taken: against its own rest, a smile that the edit gave to every frame would
            be taken for the face at rest.
        moments: how many the fields of a frame show, without a plate.
    """
    chunks = plan_chunks(inspection.index.is_key)
    if plate is not None:
        covered = plate.covered
        chunks = [c for c in chunks if covered[c.first : c.last + 1].any()]
    found = [analyse_frames(inspection, c.first, c.last, tracker, estimator) for c in chunks]
    if plate is None:
        return assemble(inspection.times_s, found, estimator, moments=moments)
    stretches = Stretches(plate.cut, plate.covered)
    alike = plate.neutral, stretches, plate.one_moment
    return assemble(inspection.times_s, found, estimator, *alike)


def frame_at(inspection: Inspection, number: int) -> RGBFrame:
    """One frame, upright."""
    frames = decode_range(inspection.info.path, inspection.info, inspection.index, number, number)
    return display_rgb(next(iter(frames)), inspection.info)


def check_same_shot(source: Inspection, output: Inspection) -> None:
    """Refuses two clips that cannot be compared frame by frame.

    Raises:
        PipelineError: other frame counts, sizes or times.
    """
    for what, of_source, of_output in (
        ("frames", source.frames, output.frames),
        ("size", source.info.display_size, output.info.display_size),
    ):
        if of_source != of_output:
            raise PipelineError(
                f"{output.info.path}: {what} {of_output}; expected {of_source} as in "
                f"{source.info.path}: an edit keeps every frame"
            )
    off_s = np.abs(np.diff(source.times_s) - np.diff(output.times_s)).max(initial=0.0)
    if off_s > 0.002:
        raise PipelineError(
            f"{output.info.path}: frame times differ by up to {off_s * 1000:.0f} ms from "
            f"{source.info.path}; expected the same shot"
        )
