"""The calm frame of a clip: who sits for a study looks ahead, with a face at rest."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.choice import resolve
from engines.interface import AUEstimator, Face, FaceTracker, RGBFrame
from pipeline.errors import PipelineError
from pipeline.faces.faces import largest_first
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.quality.clip import frame_at

LOOKS = 32
"""Frames looked at, spread over the clip."""
PER_DEGREE = 0.1
"""Intensity units that a degree of yaw or pitch counts as: 10° off is as bad as a unit at 1."""


@cache
def _eyes() -> tuple[FaceTracker, AUEstimator]:
    """The packaged engines, whatever a study judges by: the frame depends on the clip alone."""
    return resolve("tracker", "mesh").make(), resolve("AU estimator", "mesh").make()


def calm_frame(clip: Path) -> RGBFrame:
    """Of LOOKS frames, the one whose largest face shows least and looks straightest ahead.

    Raises:
        PipelineError: no video, or no face in any of these frames.
    """
    seen = inspect_video(str(clip))
    numbers, faces, features = _looks(seen)
    if not numbers:
        raise PipelineError(f"{clip}: no face was found in {min(LOOKS, seen.frames)} of its frames")
    intensity = _eyes()[1].intensity(features).values
    turned = np.array([abs(face.yaw) + abs(face.pitch) for face in faces])
    return frame_at(seen, numbers[int(np.argmin(intensity.sum(axis=1) + PER_DEGREE * turned))])


def _looks(seen: Inspection) -> tuple[list[int], list[Face], NDArray[np.float32]]:
    """The frames that show a face, their largest faces, and these faces' features."""
    tracker, estimator = _eyes()
    numbers: list[int] = []
    faces: list[Face] = []
    features: list[NDArray[np.float32]] = []
    for number in np.unique(np.linspace(0, seen.frames - 1, LOOKS).astype(int)).tolist():
        picture = frame_at(seen, number)
        if found := largest_first(tracker.track([picture])[0])[:1]:
            numbers.append(number)
            faces += found
            features += list(estimator.measure([picture], [list(found)])[0])
    return numbers, faces, np.array(features, np.float32)
