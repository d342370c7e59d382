"""The person in a shot: which units are their own there, and how they move the face."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from engines.lent import PERSONAL_GROUPS
from keyframes.au import AU_COLUMN
from pipeline.edit.personal.fit import factors_of, gains_of
from pipeline.edit.personal.held_out import blocks_of, gained
from pipeline.edit.personal.levelled import Seen, seen_of

STEP = 1 / 256
"""Of factors, so that the last bits of a sum make no other picture."""
ROWS_MIN = 120
ROWS_MAX = 1800
"""Pictures of a shot that are looked at: more, of a long one, are as good as these."""
SHOWN_LEAST = 2.0
"""Intensities between the least and most a shot shows of a unit; less is mostly noise."""
_TAILS = (2.5, 97.5)
_YAW_MAX = 30.0


@dataclass(frozen=True)
class Person:
    """How one face moves in one shot.

    Attributes:
        factors: `(G, P, 2)` int16 in STEPs, as `personal_field` takes them times STEP.
        gained: `(G,)` float32 0…1: how much of the rig's error, in what was held out, is gone; 0
            where the group is the rig's.
    """

    factors: NDArray[np.int16]
    gained: NDArray[np.float32]

    @property
    def key(self) -> int:
        """At least 0; names the factors, wherever they were made."""
        digest = hashlib.sha256(np.ascontiguousarray(self.factors).tobytes()).digest()
        return int.from_bytes(digest[:8], "big") >> 1


def person_of(
    landmarks_px: NDArray[np.floating],
    pose: NDArray[np.floating],
    intensity: NDArray[np.floating],
    eyes_open: NDArray[np.floating],
) -> Person | None:
    """The person that pictures of one face in one shot show; None where that is no more than the
    rig.

    A group of units is the person's own where the shot shows enough of it, and where parts of the
    shot that were not fitted are told better by it than by the rig. All pictures are taken as seen.

    Args:
        landmarks_px: `(N, 68, 2)` in the order of time.
        pose: `(N, 3)` degrees.
        intensity: `(N, 12)` in AU_ORDER.
        eyes_open: `(N, 2)` 0…1.

    Raises:
        EngineError: as `face_frame`.
    """
    parts = landmarks_px, pose, intensity, eyes_open
    is_known = np.ones(len(pose), bool)
    for part in parts:
        is_known &= np.isfinite(part).all(axis=tuple(range(1, part.ndim)))
    rows = np.flatnonzero(is_known & (np.abs(pose[:, 0]) < _YAW_MAX))
    if len(rows) < ROWS_MIN:
        return None
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, ROWS_MAX).astype(int))]
    shown = shows_enough(intensity[rows])
    return _person(seen_of(*(part[rows] for part in parts)), shown) if shown.any() else None


def shows_enough(intensity: NDArray[np.floating]) -> NDArray[np.bool_]:
    """`(G,)` whether `(N, 12)` intensities of a shot show a group of units move."""
    low, high = np.percentile(intensity, _TAILS, axis=0)
    spread = high - low
    most = [spread[[AU_COLUMN[unit] for unit in group]].max() for group in PERSONAL_GROUPS]
    return np.array(most) >= SHOWN_LEAST


def _person(seen: Seen, shown: NDArray[np.bool_]) -> Person | None:
    blocks = blocks_of(seen)
    held = np.where(shown, gained(blocks), 0.0)
    if not held.any():
        return None
    whole = reduce(add, blocks)
    factors = factors_of(whole, gains_of(whole))
    factors[held == 0.0] = [1.0, 0.0]
    return Person(np.rint(factors / STEP).astype(np.int16), held.astype(np.float32))
