"""One face of a clip over time, as its crops show it: what donors are chosen by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import face_frame
from engines.editors.rig.lips import Lips, inner_lips
from engines.editors.rig.person import personal_field
from keyframes.au import INTENSITY_MAX
from pipeline import affine
from pipeline.edit.personal.person import STEP, Person
from pipeline.faces.faces import Analysis
from pipeline.pictures import SECOND

GRID = np.linspace(-0.4, 0.4, 41)
"""Across a mouth, outer-eye distances, where inner lips are compared."""
_SKULL = np.array([*range(27, 36), 36, 39, 42, 45])
_SMOOTH = 4


@dataclass(frozen=True)
class Donor:
    """One frame that lends: face number, frame number, its crop and landmarks.

    Attributes:
        field: which picture of the frame (pipeline/pictures.py), of fields the first.
        size: side of the crop, pixels.
        display_from_crop: `(2, 3)` float64.
        landmarks_px: `(68, 2)` float32, crop pixels.
        pose: `(3,)` float32 yaw, pitch, roll in degrees.
        eyes_open: `(2,)` float32 0…1 of wide awake.
    """

    track: int
    frame: int
    field: int
    size: int
    display_from_crop: NDArray[np.float64]
    landmarks_px: NDArray[np.float32]
    pose: NDArray[np.float32]
    eyes_open: NDArray[np.float32]


@dataclass(frozen=True)
class FaceTrack:
    """One face over time, a row for each of its frames.

    Attributes:
        track: its number.
        frame, field, shot: `(N,)` integers; a row is a picture (pipeline/pictures.py).
        size: `(N,)` int64, side of the crop, pixels.
        landmarks_px: `(N, 68, 2)` crop pixels.
        skull_px: `(N, 13, 2)` what of them is fixed to the skull, smoothed over time.
        pose: `(N, 3)` degrees.
        intensity: `(N, 12)` measured, 0…5.
        eyes_open: `(N, 2)` 0…1 of wide awake, in the order of LID_NAMES.
        is_measured: `(N,)` bool: its intensities are known.
        lends: `(N,)` bool: seen, not filled in; of two fields only the first, so that a frame's
            number says which picture lends.
        is_covered, mouth_is_covered: `(N,)` bool: a hand lies over the face, the mouth.
        display_from_crop: `(N, 2, 3)`.
    """

    track: int
    frame: NDArray[np.int64]
    field: NDArray[np.int8]
    shot: NDArray[np.int64]
    size: NDArray[np.int64]
    landmarks_px: NDArray[np.float64]
    skull_px: NDArray[np.float64]
    pose: NDArray[np.float32]
    intensity: NDArray[np.float32]
    eyes_open: NDArray[np.float32]
    is_measured: NDArray[np.bool_]
    lends: NDArray[np.bool_]
    is_covered: NDArray[np.bool_]
    mouth_is_covered: NDArray[np.bool_]
    display_from_crop: NDArray[np.float64]

    @cached_property
    def inside(self) -> NDArray[np.float64]:
        """`(N, 2, 41)` upper and lower inner lip over GRID, face units; NaN beyond the corners."""
        return np.stack([_inside(*one) for one in zip(self.landmarks_px, self.pose, strict=True)])

    def donor(self, place: int) -> Donor:
        """The frame in one of its rows as one that lends."""
        return Donor(
            self.track,
            int(self.frame[place]),
            int(self.field[place]),
            int(self.size[place]),
            self.display_from_crop[place],
            self.landmarks_px[place].astype(np.float32),
            self.pose[place],
            self.eyes_open[place],
        )


@dataclass(frozen=True)
class ShotEdits:
    """What a curve asks of one face in one shot: a row for each edited frame.

    Attributes:
        rows: `(E,)` numbers in the plan.
        at: `(E,)` places in the face's rows.
        delta, lids: `(E, 12)`, `(E, 2)` as in EditPlan.
        times_s: `(E,)`.
        may_lend: `(N,)` of the face's rows: seen, and of this shot.
        person: how the face moves in this shot, where that is known.
    """

    face: FaceTrack
    rows: NDArray[np.intp]
    at: NDArray[np.intp]
    delta: NDArray[np.float32]
    lids: NDArray[np.float32]
    times_s: NDArray[np.float64]
    may_lend: NDArray[np.bool_]
    person: Person | None = None

    @property
    def field(self) -> NDArray[np.float64] | None:
        """The person's own units, as `displacements` takes them; None = the rig's."""
        return None if self.person is None else personal_field(self.person.factors * STEP)


def face_track(
    analysis: Analysis, track: int, path: NDArray[np.float64], size: NDArray[np.int64]
) -> FaceTrack:
    """A face of an analysis, in the crops that `crops_of` gives it."""
    rows = analysis.rows_of(track)
    frame = analysis.frame[rows]
    landmarks = affine.apply(affine.inverse(path), analysis.landmarks_px[rows])
    return FaceTrack(
        track,
        frame,
        analysis.field[rows],
        np.cumsum(analysis.cut).astype(np.int64)[frame],
        size,
        landmarks,
        _smoothed(landmarks[:, _SKULL], analysis.restarts(rows)),
        analysis.pose[rows],
        np.nan_to_num(analysis.intensity[rows]),
        eyes_open(analysis.lids[rows]),
        np.isfinite(analysis.intensity[rows].sum(axis=1)),
        ~analysis.bridged[rows] & (analysis.field[rows] != SECOND),
        _is_covered(analysis, rows, slice(17, 68)),
        _is_covered(analysis, rows, slice(48, 68)),
        path,
    )


def eyes_open(lids: NDArray[np.floating]) -> NDArray[np.float32]:
    """`(N, 2)` 0…1 from how far eyes are shut, 0…5; not known counts as open."""
    return (1.0 - np.nan_to_num(lids) / INTENSITY_MAX).astype(np.float32)


def _is_covered(analysis: Analysis, rows: NDArray[np.intp], points: slice) -> NDArray[np.bool_]:
    """`(m,)`: a hand lies over some points of the face, by the boxes of both."""
    part, hands = analysis.landmarks_px[rows, None, points], analysis.hands_px[rows]
    apart = (hands.max(axis=2) < part.min(axis=2)) | (hands.min(axis=2) > part.max(axis=2))
    is_there = np.isfinite(hands).all(axis=(2, 3))
    return (is_there & ~apart.any(axis=2)).any(axis=1)


def _inside(landmarks_px: NDArray[np.float64], pose: NDArray[np.float32]) -> NDArray[np.float64]:
    return lips_on_grid(inner_lips(face_frame(landmarks_px, pose).from_px(landmarks_px)))


def lips_on_grid(lips: Lips) -> NDArray[np.float64]:
    """`(2, 41)` upper and lower lip over GRID; NaN beyond the corners."""
    lines = np.stack([np.interp(GRID, lips.x, y) for y in (lips.top, lips.bottom)])
    lines[:, (lips.x[0] > GRID) | (lips.x[-1] < GRID)] = np.nan
    return lines


def _smoothed(points: NDArray[np.float64], restart: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Points over time, through parabolas over ±4 frames: trackers tremble, skulls do not."""
    smooth = points.copy()
    starts = [*np.union1d([0], np.flatnonzero(restart)), len(points)]
    for first, last in pairwise(starts):
        for middle in range(first, last):
            low, high = max(first, middle - _SMOOTH), min(last, middle + _SMOOTH + 1)
            step = np.arange(low, high) - middle
            if len(step) < 5:
                continue
            weight = 1.0 - (np.abs(step) / (_SMOOTH + 1)) ** 2
            powers = np.vander(step, 3, increasing=True) * weight[:, None]
            smooth[middle] = np.tensordot(
                np.linalg.pinv(powers)[0] * weight, points[low:high], axes=1
            )
    return smooth


def laid_over(there: NDArray[np.float64], here: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(N, 2, 3)` affine maps that lay `(13, 2)` skull points over `(N, 13, 2)` others."""
    known = np.column_stack([there, np.ones(len(there))])
    fitted = np.einsum("kp,npc->nkc", np.linalg.pinv(known), here)
    return np.swapaxes(fitted, 1, 2)
