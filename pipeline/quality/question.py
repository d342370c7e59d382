"""What is to be judged, and what its curve asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keyframes.au import AU_ORDER, AUDelta, AUIntensity
from keyframes.sheet import KeyframeSheet
from pipeline.faces.sightings import NOBODY, Who
from pipeline.quality.clip import Clip

SELF_MEASURING = ("previz",)
"""Editors that move the very points which the mesh estimator reads."""


@dataclass(frozen=True)
class Question:
    """What is to be judged, and how it was made as far as that is known.

    Attributes:
        face: track of the source, 0 the largest.
        estimator: name of the AU estimator that measured both clips.
        editor: name of the editor, "" where that is not known.
        encode_preset: of the output, as far as known.
        who: the people of the curve, where they were found in the source.
        planner: name of the estimator that the edit was planned with; "" where that is not known.
        crop_size: least side of that editor's crops, pixels.
        own_units: it moved faces as their shots show them to, if it can.
    """

    sheet: KeyframeSheet | None = None
    face: int = 0
    estimator: str = "mesh"
    editor: str = ""
    encode_preset: str = "medium"
    who: Who = NOBODY
    planner: str = ""
    crop_size: int = 512
    own_units: bool = True

    @property
    def is_self_measured(self) -> bool:
        return self.estimator == "mesh" and self.editor in SELF_MEASURING


def strongest_frame(requested: AUDelta) -> int:
    """The middle of the frames that ask for most; the clip's own where none asks for anything."""
    strength = np.abs(np.hstack([requested.values, requested.lids])).sum(axis=1)
    if not strength.any():
        return len(strength) // 2
    held = np.flatnonzero(strength >= 0.99 * strength.max())
    return int(held[len(held) // 2])


def requested_of(source: Clip, question: Question, measured: AUIntensity) -> AUDelta:
    """What the curve asks of a face that was measured so; 0 without a curve."""
    if question.sheet is None:
        return AUDelta(np.zeros((source.frames, len(AU_ORDER)), np.float32))
    timeline = source.inspection.timeline
    known = question.who.known(question.face, source.frames)
    return question.sheet.evaluate(timeline, measured, face=question.face, known=known).delta
