"""Engines against people whose expressions are known exactly: how each unit is read and made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.interface import AlignedCrops, AUEstimator, Face, FaceEditor, FaceTracker, RGBFrame
from keyframes.au import AU_ORDER, AUDelta
from pipeline.heads.landmarks import true_landmarks
from pipeline.heads.people import Person, person
from pipeline.heads.render import View, render_person
from pipeline.quality.metrics.geometry import moved_units

LEVEL = 3.0
"""Intensity that is drawn and asked for: the middle of the scale, C in FACS."""
VIEW = View(size=512, zoom=1.5)
_NONE = np.zeros(len(AU_ORDER), np.float32)
_EACH = LEVEL * np.eye(len(AU_ORDER), dtype=np.float32)


@dataclass(frozen=True)
class Known:
    """Means over people; a unit's share of what was drawn or asked for, in AU_ORDER.

    Attributes:
        read: `(12,)` what the estimator reads of a drawn unit, 1 = all of it.
        leak: `(12,)` the largest change read in any other unit meanwhile, intensity units, and
            `leak_into` which that is.
        made_read, made_moved: `(12,)` what the editor makes of a face at rest, by the estimator and
            by geometry.
        points: mean distance of the tracker's points from the true ones, in outer-eye distances,
            jaw line left out.
    """

    read: NDArray[np.float64]
    leak: NDArray[np.float64]
    leak_into: tuple[int, ...]
    made_read: NDArray[np.float64]
    made_moved: NDArray[np.float64]
    points: float


def known_on(
    people: Iterable[int],
    tracker: FaceTracker,
    estimator: AUEstimator,
    editor: FaceEditor,
    view: View = VIEW,
) -> Known:
    """Draws each person at rest and with each unit alone, and lets the editor make each unit.

    Args:
        view: how the head is turned; its picture is what the editor is shown.

    Raises:
        EngineError: an engine that cannot take these crops.
    """
    rows = [_one(person(number), tracker, estimator, editor, view) for number in people]
    read, made_read, made_moved, points = (
        np.nanmean(part, axis=0) for part in zip(*rows, strict=True)
    )
    others = np.where(np.eye(len(AU_ORDER), dtype=bool), 0.0, read)
    most = np.abs(others).argmax(axis=1)
    return Known(
        read=np.diag(read) / LEVEL,
        leak=others[np.arange(len(AU_ORDER)), most],
        leak_into=tuple(AU_ORDER[column] for column in most),
        made_read=np.diag(made_read) / LEVEL,
        made_moved=made_moved / LEVEL,
        points=float(points),
    )


def _one(
    one: Person, tracker: FaceTracker, estimator: AUEstimator, editor: FaceEditor, view: View
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """`(12, 12)` read by unit drawn and by unit made, `(12,)` moved by unit made, points off."""
    rest = render_person(one, view=view)
    drawn = [render_person(one, row, view) for row in _EACH]
    made = edited(editor, rest, true_landmarks(one, _NONE, view), view)
    pictures = [rest, *drawn, *made]
    faces = [_largest(tracker.track([picture])) for picture in pictures]
    values = intensities(estimator, pictures, faces)
    count = len(AU_ORDER)
    landmarks = np.array([
        np.full((68, 2), np.nan) if face is None else face.landmarks_px for face in faces
    ])  # fmt: skip
    truth = np.array([true_landmarks(one, row, view) for row in (_NONE, *_EACH)])
    eyes = np.linalg.norm(truth[0, 36] - truth[0, 45])
    off = np.linalg.norm(landmarks[: 1 + count] - truth, axis=-1)[:, 17:] / eyes
    moved = [
        moved_units(landmarks[:1], after[None], asked, np.array([view.yaw]))[0, asked].item()
        for after, asked in zip(landmarks[1 + count :], np.eye(count, dtype=bool), strict=True)
    ]
    change = values - values[0]
    return change[1 : 1 + count], change[1 + count :], np.array(moved), float(np.nanmean(off))


def edited(
    editor: FaceEditor,
    picture: RGBFrame,
    landmarks_px: NDArray[np.float32],
    view: View = VIEW,
) -> list[RGBFrame]:
    """The picture with each unit asked for alone, by an editor whose crop is the picture."""
    made: list[RGBFrame] = []
    for first in range(0, len(_EACH), editor.batch_size):
        rows = _EACH[first : first + editor.batch_size]
        padded = np.concatenate([rows, np.repeat(rows[-1:], editor.batch_size - len(rows), axis=0)])
        crops = AlignedCrops(
            np.repeat(picture[None], len(padded), axis=0),
            np.repeat(landmarks_px[None], len(padded), axis=0),
            np.arange(first, first + len(padded), dtype=np.int64),
            np.tile(np.array([view.yaw, view.pitch, view.roll], np.float32), (len(padded), 1)),
        )
        out = editor.edit(crops, AUDelta(padded), seed=0)
        residual = out.mask[..., None] * (out.edited.astype(np.float32) - out.reference)
        pasted = np.rint(np.clip(picture + residual, 0, 255)).astype(np.uint8)
        made += list(pasted[: len(rows)])
    return made


def _largest(found: list[list[Face]]) -> Face | None:
    faces = found[0]
    return max(faces, key=lambda face: float(face.box[2] - face.box[0])) if faces else None


def intensities(
    estimator: AUEstimator, pictures: list[RGBFrame], faces: list[Face | None]
) -> NDArray[np.float64]:
    """`(N, 12)` of one person's pictures, the first of which is the face at rest; NaN faceless."""
    measured = estimator.measure(pictures, [[face] if face else [] for face in faces])
    blank = np.full((1, len(estimator.feature_names)), np.nan, np.float32)
    features = np.concatenate([rows if len(rows) else blank for rows in measured])
    neutral = estimator.neutral(features[:1])
    return estimator.intensity(features, neutral).values.astype(np.float64)
