"""Which frames of a shot lend shut eyes: its own blinks, from open to shut."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.lent import LID_LEVELS
from pipeline.edit.lending.track import Donor, ShotEdits

LEVELS = (0.85, 0.55, 0.28, 0.0)
"""How open the eyes of donors are, of wide awake."""
OFF_MAX = 0.17
"""By how much an eye may be off its level."""
SHUT_MAX = 0.2
"""A shot whose eyes are never shut further than that lends none."""
POSE_MAX = 22.0
"""Degrees, yaw, pitch and roll together."""
_MOTION, _POSE = 1.0, 1 / 60


def lend_lids(edits: ShotEdits, columns: dict[str, NDArray[Any]]) -> list[Donor]:
    """Writes into a plan's columns which frames lend shut eyes to one face and shot.

    Returns:
        The donors from open to shut; none where nothing shuts eyes or the shot has no blink.
    """
    shutting = (edits.lids > 0.0).any(axis=1)
    if not shutting.any():
        return []
    places = _levels(edits, np.median(edits.face.pose[edits.at[shutting]], axis=0))
    if not places:
        return []
    rows, face = edits.rows[shutting], edits.face
    columns["lid_donors"][rows, : len(places)] = face.frame[places]
    columns["eyes_open"][rows] = face.eyes_open[edits.at[shutting]]
    return [face.donor(place) for place in places]


def _levels(edits: ShotEdits, pose: NDArray[np.float32]) -> list[int]:
    """Places of the donors, from open to shut."""
    face = edits.face
    turned = np.abs(face.pose - pose).sum(axis=1)
    may_lend = edits.may_lend & ~face.is_covered & (turned < POSE_MAX)
    places: list[int] = []
    for level in LEVELS[-LID_LEVELS:]:
        off = np.abs(face.eyes_open - level).max(axis=1)
        cost = off + _POSE * turned + _MOTION * _motion(face.eyes_open)
        cost = np.where(may_lend & (off < OFF_MAX), cost, np.inf)
        best = int(np.argmin(cost))
        if np.isfinite(cost[best]) and best not in places:
            places.append(best)
    shut = bool(places) and float(face.eyes_open[places[-1]].max()) <= SHUT_MAX
    return places if shut else []


def _motion(eyes_open: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(N,)` by how much the lids move from the frame before to the one after: it blurs."""
    padded = np.pad(eyes_open, ((1, 1), (0, 0)), mode="edge")
    return np.abs(padded[2:] - padded[:-2]).mean(axis=1)
