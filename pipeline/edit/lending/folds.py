"""Which frames of a shot lend the folds of its skin: those with an expression, less those at rest.

The folds themselves are made of pixels (fold_maps.py); here frames are chosen and, for each edited
one, how much of them is put on: it follows the curve, so nothing switches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.lent import FOLD_GROUPS
from keyframes.au import AU_COLUMN
from pipeline.edit.lending.track import Donor, FaceTrack, ShotEdits

STRONG = 0.75
"""Of the strongest: frames at least so strong show the folds."""
GAIN_MIN = 2.0
"""Intensities between donors and rest; less of a difference is mostly noise."""
ASKED_MIN = 0.25
FRAMES, FRAMES_MIN = 5, 3
TURNED_MAX, TURNED_SUM_MAX = 4.0, 8.0
"""Degrees of yaw and pitch between donors and rest; all three together."""
YAW_MAX = 25.0
BEYOND, LESS_MAX = 1.15, 0.8
_CANDIDATES, _APART = 12, 8
_CALM = 0.15  # an expression of its own is worth more than one among many


@dataclass(frozen=True)
class FoldDonors:
    """Frames that show a group of action units strongly, and frames that don't.

    Attributes:
        group: number in FOLD_GROUPS.
        strong, rest: the frames; the first of `strong` names them.
        level, calm: mean intensities of both.
    """

    group: int
    strong: tuple[Donor, ...]
    rest: tuple[Donor, ...]
    level: float
    calm: float


def group_delta(delta: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(E, 7)` change of each group's intensity, of `(E, 12)` changes."""
    return np.stack([delta[:, list(_columns(group))].mean(axis=1) for group in FOLD_GROUPS], axis=1)


def _columns(group: tuple[int, ...]) -> list[int]:
    return [AU_COLUMN[number] for number in group]


def lend_folds(edits: ShotEdits, columns: dict[str, NDArray[Any]]) -> list[FoldDonors]:
    """Writes into a plan's columns what folds one face is lent in one shot; their donors."""
    asked, found = group_delta(edits.delta), list[FoldDonors]()
    for number, group in enumerate(FOLD_GROUPS):
        if np.abs(asked[:, number]).max(initial=0.0) < ASKED_MIN:
            continue
        donors = _donors(edits, number)
        if donors is None:
            continue
        now = edits.face.intensity[edits.at][:, _columns(group)].mean(axis=1)
        share = fold_share(now, asked[:, number], donors)
        columns["fold"][edits.rows, number] = share
        columns["fold_donor"][edits.rows[share != 0.0], number] = donors.strong[0].frame
        found.append(donors)
    return found


def fold_share(
    now: NDArray[np.float32], asked: NDArray[np.float32], donors: FoldDonors
) -> NDArray[np.float32]:
    """`(E,)` −0.8…1: how much of the donors' folds is put on, or taken off.

    Args:
        now: `(E,)` intensity in the frame.
        asked: `(E,)` change of it.
    """
    goal = np.clip(now + asked, 0.0, np.maximum(BEYOND * donors.level, now))
    share = (goal - now) / max(donors.level - donors.calm, 1e-6)
    return np.clip(share, -LESS_MAX, 1.0).astype(np.float32)


def _donors(edits: ShotEdits, number: int) -> FoldDonors | None:
    face = edits.face
    own = _columns(FOLD_GROUPS[number])
    level = face.intensity[:, own].mean(axis=1)
    others = face.intensity.sum(axis=1) - face.intensity[:, own].sum(axis=1)
    may_lend = edits.may_lend & ~face.is_covered & (np.abs(face.pose[:, 0]) < YAW_MAX)
    if not may_lend.any():
        return None
    top = float(level[may_lend].max())
    low = may_lend & (level <= max(0.35 * top, float(np.percentile(level[may_lend], 15))))
    strong = np.flatnonzero(may_lend & (level >= STRONG * top))
    for best in _candidates(strong, level[strong] - _CALM * others[strong] / len(own)):
        near = np.abs(strong - best) + 2 * np.abs(face.pose[strong] - face.pose[best]).max(axis=1)
        chosen = strong[np.argsort(near, kind="stable")[:FRAMES]]
        calm = _rest(face, np.flatnonzero(low), chosen, own, level)
        if _fits(face, chosen, calm, level):
            with_, without = (
                tuple(face.donor(place) for place in places.tolist()) for places in (chosen, calm)
            )
            means = float(level[chosen].mean()), float(level[calm].mean())
            return FoldDonors(number, with_, without, *means)
    return None


def _candidates(strong: NDArray[np.intp], worth: NDArray[np.float64]) -> list[int]:
    """Places to look around, the best first, each some frames from the others."""
    tried: list[int] = []
    for place in strong[np.argsort(-worth, kind="stable")].tolist():
        if all(abs(place - other) > _APART for other in tried):
            tried.append(place)
        if len(tried) == _CANDIDATES:
            break
    return tried


def _rest(
    face: FaceTrack,
    low: NDArray[np.intp],
    strong: NDArray[np.intp],
    own: list[int],
    level: NDArray[np.float32],
) -> NDArray[np.intp]:
    """The calm frames that are nearest in pose and in all other units."""
    other = np.abs(face.intensity[low] - face.intensity[strong].mean(axis=0))
    other[:, own] = 0.0
    turned = np.abs(face.pose[low] - face.pose[strong].mean(axis=0)).sum(axis=1)
    cost = turned / 2 + other.sum(axis=1) / 2 + level[low]
    return low[np.argsort(cost, kind="stable")[:FRAMES]]


def _fits(
    face: FaceTrack,
    strong: NDArray[np.intp],
    calm: NDArray[np.intp],
    level: NDArray[np.float32],
) -> bool:
    if min(len(strong), len(calm)) < FRAMES_MIN:
        return False
    if level[strong].mean() - level[calm].mean() < GAIN_MIN:
        return False
    turned = np.abs(face.pose[strong].mean(axis=0) - face.pose[calm].mean(axis=0))
    return bool(turned[:2].max() <= TURNED_MAX and turned.sum() <= TURNED_SUM_MAX)
