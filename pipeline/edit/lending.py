"""Which frame of a shot lends the inside of its mouth to frames in which the curve opens one.

At most two donors per face and shot, the second where the first shows less, so that next to
nothing switches, and through the painted mouth where it does; never across a cut, from another
face, or from a frame that was filled in. A donor is a frame of that face whose mouth is open, seen
from about the same side, and whose opening covers what the edited ones show. What is lent is fixed
to the skull: donor and frame are laid over each other by eyes and nose, smoothed over time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import control_points, displacements, face_frame
from engines.editors.rig.mouth import Lips, inner_lips
from engines.editors.rig.units import lips_opening
from keyframes.au import AU_COLUMN
from pipeline import affine
from pipeline.edit.plan import EditPlan, crops_of
from pipeline.faces.faces import Analysis

OPENS = 0.006
"""Outer-eye distances: lips that part by less show nothing."""
GAP_MIN = 0.04
"""Of a donor's lips; and at least half of what the frame shows."""
REACH = 0.5
COST_MAX = 1.4
SECOND_GAIN = 0.1
"""Of mean cost, that a second donor must save."""
SWITCH_GAIN, SWITCH_S = 0.2, 2.0
"""By how much the other donor must be better, and how long it must stay so."""
_FADE = 4.5  # frames to either side of a switch
SAMPLES = 16
"""Frames of a shot that donors are compared on."""
_GRID = np.linspace(-0.4, 0.4, 41)
_SKULL = np.array([*range(27, 36), 36, 39, 42, 45])
_POSE_WEIGHT = np.array([1.0, 1.0, 0.4]) / 15.0  # per degree of yaw, pitch, roll
_SMOOTH = 4
_PARTS = [AU_COLUMN[25], AU_COLUMN[26]]


@dataclass(frozen=True)
class Donor:
    """One frame that lends: face number, frame number, its crop and landmarks.

    Attributes:
        size: side of the crop, pixels.
        display_from_crop: `(2, 3)` float64.
        landmarks_px: `(68, 2)` float32, crop pixels.
    """

    track: int
    frame: int
    size: int
    display_from_crop: NDArray[np.float64]
    landmarks_px: NDArray[np.float32]


@dataclass(frozen=True)
class _Face:
    """One face over time, in its crops."""

    frame: NDArray[np.int64]
    shot: NDArray[np.int64]
    size: NDArray[np.int64]
    landmarks_px: NDArray[np.float64]
    skull_px: NDArray[np.float64]
    pose: NDArray[np.float32]
    bridged: NDArray[np.bool_]
    display_from_crop: NDArray[np.float64]
    inside: NDArray[np.float64]
    """`(N, 2, 41)` upper and lower inner lip over _GRID, face units; NaN beyond the corners."""


def opens_mouth(delta: NDArray[np.float32]) -> NDArray[np.bool_]:
    """`(E,)` whether `(E, 12)` changes part lips by more than shows nothing."""
    return np.maximum(delta[:, _PARTS], 0.0) @ lips_opening()[_PARTS] > OPENS


def plan_lending(
    plan: EditPlan,
    analysis: Analysis,
    times_s: NDArray[np.float64],
    crop_size: int,
    *,
    any_size: bool = False,
) -> tuple[EditPlan, tuple[Donor, ...]]:
    """The plan with the donors of every face and shot in which the curve opens a mouth."""
    donor, lent, maps = plan.donor.copy(), plan.lent.copy(), plan.crop_from_donor.copy()
    donors: list[Donor] = []
    parts = opens_mouth(plan.delta)
    for track in np.unique(plan.track[parts]):
        rows = np.flatnonzero(plan.track == track)
        crops = crops_of(times_s, analysis, int(track), crop_size, any_size=any_size)
        face = _face(analysis, int(track), *crops)
        at = np.searchsorted(face.frame, plan.frame[rows])
        for shot in np.unique(face.shot[at]):
            mine = face.shot[at] == shot
            needing = np.flatnonzero(mine & parts[rows])
            chosen = _choice(face, int(shot), at, needing, plan.delta[rows], times_s)
            if chosen is None:
                continue
            place, weight = chosen[0][mine], chosen[1][mine]
            donor[rows[mine]], lent[rows[mine]] = face.frame[place], weight
            for one in np.unique(place).tolist():
                here = np.flatnonzero(mine)[place == one]
                maps[rows[here]] = _over(face.skull_px[one], face.skull_px[at[here]])
                donors.append(_donor(face, int(track), one))
    return replace(plan, donor=donor, lent=lent, crop_from_donor=maps), tuple(donors)


def _donor(face: _Face, track: int, place: int) -> Donor:
    return Donor(
        track,
        int(face.frame[place]),
        int(face.size[place]),
        face.display_from_crop[place],
        face.landmarks_px[place].astype(np.float32),
    )


def _face(
    analysis: Analysis, track: int, path: NDArray[np.float64], size: NDArray[np.int64]
) -> _Face:
    rows = analysis.rows_of(track)
    frame = analysis.frame[rows]
    restart = analysis.restarts(frame)
    landmarks = affine.apply(affine.inverse(path), analysis.landmarks_px[rows])
    pose = analysis.pose[rows]
    return _Face(
        frame,
        np.cumsum(analysis.cut).astype(np.int64)[frame],
        size,
        landmarks,
        _smoothed(landmarks[:, _SKULL], restart),
        pose,
        analysis.bridged[rows] | _is_covered(analysis, rows),
        path,
        np.stack([_on_grid(_lips(p, q)) for p, q in zip(landmarks, pose, strict=True)]),
    )


def _is_covered(analysis: Analysis, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """`(m,)`: a hand lies over the mouth, by the boxes of both."""
    mouth, hands = analysis.landmarks_px[rows, None, 48:68], analysis.hands_px[rows]
    apart = (hands.max(axis=2) < mouth.min(axis=2)) | (hands.min(axis=2) > mouth.max(axis=2))
    is_there = np.isfinite(hands).all(axis=(2, 3))
    return (is_there & ~apart.any(axis=2)).any(axis=1)


def _lips(landmarks_px: NDArray[np.float64], pose: NDArray[np.float32]) -> Lips:
    return inner_lips(face_frame(landmarks_px, pose).from_px(landmarks_px))


def _on_grid(lips: Lips) -> NDArray[np.float64]:
    edges = np.stack([np.interp(_GRID, lips.x, y) for y in (lips.top, lips.bottom)])
    edges[:, (lips.x[0] > _GRID) | (lips.x[-1] < _GRID)] = np.nan
    return edges


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


def _choice(
    face: _Face,
    shot: int,
    at: NDArray[np.intp],
    needing: NDArray[np.intp],
    delta: NDArray[np.float32],
    times_s: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.float64]] | None:
    """Per row of a face's edits the donor's place in the face's rows, and how much of it shows.

    Args:
        at: `(E,)` places of the edited rows in the face's.
        needing: those of the rows in which a mouth of this shot opens.
        delta: `(E, 12)`.

    Returns:
        None where no donor is good enough.
    """
    gap = np.nan_to_num(face.inside[:, 1] - face.inside[:, 0]).max(axis=1)
    lending = np.flatnonzero((face.shot == shot) & ~face.bridged & (gap >= GAP_MIN))
    if not len(needing) or not len(lending):
        return None
    sample = needing[np.unique(np.linspace(0, len(needing) - 1, SAMPLES).astype(int))]
    cost = np.stack([_costs(face, lending, gap, int(at[row]), delta[row]) for row in sample])
    first = int(np.argmin(cost.mean(axis=0)))
    saved = cost[:, first].mean() - np.minimum(cost, cost[:, [first]]).mean(axis=0)
    second = int(np.argmax(saved)) if saved.max() > SECOND_GAIN else first
    rows = np.arange(len(at))
    pair = np.stack([np.interp(rows, sample, cost[:, one]) for one in (first, second)])
    which, fade = switched(pair[0] - pair[1], times_s[face.frame[at]])
    weight = np.clip((COST_MAX + 0.1 - pair[which, rows]) / 0.3, 0.0, 1.0)
    if weight[needing].max() <= 0.0:
        return None
    return lending[np.array([first, second])[which]], weight * fade


def _costs(
    face: _Face,
    lending: NDArray[np.intp],
    gap: NDArray[np.float64],
    place: int,
    delta: NDArray[np.float32],
) -> NDArray[np.float64]:
    """`(D,)` how badly each lending frame would do for one edited frame."""
    wanted = _opened(face, place, delta)
    pose = np.abs(face.pose[lending] - face.pose[place]) @ _POSE_WEIGHT
    short = gap[lending] < REACH * np.nan_to_num(wanted[1] - wanted[0]).max()
    motion = 3.0 * _motion(face)[lending]
    return 2.0 * _uncovered(face.inside[lending], wanted) + pose + 2.0 * short + motion


def switched(
    better: NDArray[np.float64], times_s: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which of two donors each row takes, and 0…1 around switches: through nothing lent.

    Args:
        better: `(E,)` by how much the second is the better one.
        times_s: `(E,)`.
    """
    which = np.zeros(len(better), np.intp)
    now = int(better[0] > 0.0)
    for row, gain in enumerate(better.tolist()):
        now = 1 if gain > SWITCH_GAIN else 0 if gain < -SWITCH_GAIN else now
        which[row] = now
    edges = [0, *(np.flatnonzero(np.diff(which)) + 1), len(which)]
    for start, end in pairwise(edges):
        if start and times_s[end - 1] - times_s[start] < SWITCH_S:
            which[start:end] = which[start - 1]
    switches = np.flatnonzero(np.diff(which)) + 0.5
    away = np.abs(np.arange(len(which))[:, None] - switches)
    return which, np.clip(away.min(axis=1, initial=_FADE) / _FADE, 0.0, 1.0)


def _opened(face: _Face, place: int, delta: NDArray[np.float32]) -> NDArray[np.float64]:
    """`(2, 41)` inner lips after the edit."""
    frame = face_frame(face.landmarks_px[place], face.pose[place])
    points = control_points(frame, face.landmarks_px[place])
    return _on_grid(inner_lips(points + displacements(frame, points, delta, int(face.size[place]))))


def _uncovered(inside: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(D,)` share of an opening that each donor's own does not show at the same place."""
    top, bottom = np.nan_to_num(wanted)
    seen = np.minimum(bottom, inside[:, 1]) - np.maximum(top, inside[:, 0])
    whole = float(np.maximum(bottom - top, 0.0).sum())
    return 1.0 - np.maximum(np.nan_to_num(seen), 0.0).sum(axis=1) / max(whole, 1e-9)


def _motion(face: _Face) -> NDArray[np.float64]:
    """`(N,)` how far the lips go from one frame to the next, outer-eye distances: it blurs."""
    lips = face.landmarks_px[:, 48:68]
    step = np.linalg.norm(np.diff(lips, axis=0, prepend=lips[:1]), axis=2).mean(axis=1)
    eyes = np.linalg.norm(face.landmarks_px[:, 36] - face.landmarks_px[:, 45], axis=1)
    return step / np.maximum(eyes, 1e-6)


def _over(there: NDArray[np.float64], here: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(N, 2, 3)` affine maps that lay `(13, 2)` skull points over `(N, 13, 2)` others."""
    known = np.column_stack([there, np.ones(len(there))])
    fitted = np.einsum("kp,npc->nkc", np.linalg.pinv(known), here)
    return np.swapaxes(fitted, 1, 2)
