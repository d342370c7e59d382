"""Which frame of a shot lends the inside of its mouth to frames in which the curve opens one.

At most two donors per face and shot, the second where the first shows less, so that next to
nothing switches, and through the painted mouth where it does; never across a cut, from another
face, or from a frame that was filled in. A donor is a frame of that face whose mouth is open, seen
from about the same side, and whose opening covers what the edited ones show. What is lent is fixed
to the skull: donor and frame are laid over each other by eyes and nose, smoothed over time.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.editors.plate.editor import OPEN
from engines.editors.rig.face import control_points, displacements, face_frame
from engines.editors.rig.lips import inner_lips
from engines.editors.rig.units import lips_opening
from keyframes.au import AU_COLUMN
from pipeline.edit.lending.track import Donor, FaceTrack, ShotEdits, laid_over, lips_on_grid

OPENS = 0.006
"""Outer-eye distances: lips that part by less show nothing."""
GAP_MIN = 0.04
"""Of a donor's lips; and at least half of what the frame shows."""
REACH = 0.5
BELOW = 0.5
"""What paint below a donor's inside is worth of it."""
COST_MAX = 1.4
SECOND_GAIN = 0.1
"""Of mean cost, that a second donor must save."""
SWITCH_GAIN, SWITCH_S = 0.2, 2.0
"""By how much the other donor must be better, and how long it must stay so."""
_FADE = 4.5  # frames to either side of a switch
SAMPLES = 16
"""Frames of a shot that donors are compared on."""
_POSE_WEIGHT = np.array([1.0, 1.0, 0.4]) / 15.0  # per degree of yaw, pitch, roll
_PARTS = [AU_COLUMN[25], AU_COLUMN[26]]


def opens_mouth(delta: NDArray[np.float32]) -> NDArray[np.bool_]:
    """`(E,)` whether `(E, 12)` changes part lips by more than shows nothing."""
    return np.maximum(delta[:, _PARTS], 0.0) @ lips_opening()[_PARTS] > OPENS


def shows_own(landmarks_px: NDArray[np.floating], pose: NDArray[np.floating]) -> NDArray[np.bool_]:
    """`(E,)` whether mouths, of `(E, 68, 2)` landmarks, are open already and keep their inside."""
    faces = zip(landmarks_px, pose, strict=True)
    lips = [inner_lips(face_frame(marks, turned).from_px(marks)) for marks, turned in faces]
    return np.array([one.gap.max() >= OPEN for one in lips], bool)


def lend_mouths(edits: ShotEdits, columns: dict[str, NDArray[Any]]) -> list[Donor]:
    """Writes into a plan's columns what mouth each edit of one face and shot is lent.

    Returns:
        The donors, none where the curve opens no mouth or no frame is good enough.
    """
    opening, at = opens_mouth(edits.delta), edits.at
    own = shows_own(edits.face.landmarks_px[at], edits.face.pose[at])
    needing = np.flatnonzero(opening & ~own)
    chosen = _choice(edits, needing)
    if chosen is None:
        return []
    face, (place, weight) = edits.face, chosen
    columns["donor"][edits.rows], columns["lent"][edits.rows] = face.frame[place], weight
    donors: list[Donor] = []
    for one in np.unique(place).tolist():
        here = place == one
        laid = laid_over(face.skull_px[one], face.skull_px[edits.at[here]])
        columns["crop_from_donor"][edits.rows[here]] = laid
        donors.append(face.donor(one))
    return donors


def _choice(
    edits: ShotEdits, needing: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]] | None:
    """Per edit the donor's place in the face's rows, and how much of it shows.

    Args:
        needing: the edits in which a shut mouth opens.

    Returns:
        None where no donor is good enough.
    """
    face, at = edits.face, edits.at
    gap = np.nan_to_num(face.inside[:, 1] - face.inside[:, 0]).max(axis=1)
    lends = edits.may_lend & ~face.mouth_is_covered
    lending = np.flatnonzero(lends & (gap >= GAP_MIN))
    if not len(needing) or not len(lending):
        return None
    sample = needing[np.unique(np.linspace(0, len(needing) - 1, SAMPLES).astype(int))]
    cost = np.stack([_costs(edits, lending, gap, int(row)) for row in sample])
    first = int(np.argmin(cost.mean(axis=0)))
    saved = cost[:, first].mean() - np.minimum(cost, cost[:, [first]]).mean(axis=0)
    second = int(np.argmax(saved)) if saved.max() > SECOND_GAIN else first
    rows = np.arange(len(at))
    pair = np.stack([np.interp(rows, sample, cost[:, one]) for one in (first, second)])
    which, fade = switched(pair[0] - pair[1], edits.times_s)
    weight = np.clip((COST_MAX + 0.1 - pair[which, rows]) / 0.3, 0.0, 1.0)
    if weight[needing].max() <= 0.0:
        return None
    return lending[np.array([first, second])[which]], weight * fade


def _costs(
    edits: ShotEdits, lending: NDArray[np.intp], gap: NDArray[np.float64], row: int
) -> NDArray[np.float64]:
    """`(D,)` how badly each lending frame would do for one edited frame."""
    face, place = edits.face, int(edits.at[row])
    wanted = _opened(face, place, edits.delta[row], edits.field)
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


def _opened(
    face: FaceTrack,
    place: int,
    delta: NDArray[np.float32],
    field: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """`(2, 41)` inner lips after the edit."""
    frame = face_frame(face.landmarks_px[place], face.pose[place])
    points = control_points(frame, face.landmarks_px[place])
    size = int(face.size[place])
    return lips_on_grid(inner_lips(points + displacements(frame, points, delta, size, field=field)))


def _uncovered(inside: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(D,)` share of an opening that each donor's own does not show at the same place.

    What it lacks below counts half: there it goes over into a painted tongue.
    """
    top, bottom = np.nan_to_num(wanted)
    seen = np.minimum(bottom, inside[:, 1]) - np.maximum(top, inside[:, 0])
    below = np.minimum(bottom - inside[:, 1], bottom - top)
    shown = np.nan_to_num(np.maximum(seen, 0.0) + BELOW * np.maximum(below, 0.0))
    whole = float(np.maximum(bottom - top, 0.0).sum())
    return 1.0 - shown.sum(axis=1) / max(whole, 1e-9)


def _motion(face: FaceTrack) -> NDArray[np.float64]:
    """`(N,)` how far the lips go from one frame to the next, outer-eye distances: it blurs.

    Over a cut they go nowhere: what a shot lends may not depend on the one before.
    """
    lips = face.landmarks_px[:, 48:68]
    step = np.linalg.norm(np.diff(lips, axis=0, prepend=lips[:1]), axis=2).mean(axis=1)
    step[np.diff(face.shot, prepend=face.shot[:1]) != 0] = 0.0
    eyes = np.linalg.norm(face.landmarks_px[:, 36] - face.landmarks_px[:, 45], axis=1)
    return step / np.maximum(eyes, 1e-6)
