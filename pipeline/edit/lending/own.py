"""How the person in a shot moves, where its own frames show that, for all its edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.lent import OWN, PERSONAL_GROUPS
from keyframes.au import AU_COLUMN
from pipeline.edit.lending.track import ShotEdits
from pipeline.edit.personal.person import person_of


def lend_own(edits: ShotEdits, columns: dict[str, NDArray[Any]]) -> ShotEdits:
    """Writes into a plan's columns which units are the person's own; the edits with that person.

    Nothing changes where the curve asks for none of these units, or the shot shows too little.
    """
    if not asked_of(edits.delta).any():
        return edits
    face, rows = edits.face, edits.may_lend & edits.face.is_measured & ~edits.face.is_covered
    parts = face.landmarks_px, face.pose, face.intensity, face.eyes_open
    person = person_of(*(part[rows] for part in parts))
    if person is None:
        return edits
    columns["person"][edits.rows], columns["own"][edits.rows] = person.key, person.gained
    return replace(edits, person=person)


def are_own(settings: Mapping[str, Any]) -> bool:
    """Whether an editor's settings leave units to be the person's own."""
    return settings.get("units", OWN) == OWN


def asked_of(delta: NDArray[np.float32]) -> NDArray[np.bool_]:
    """`(G,)` groups of PERSONAL_GROUPS that `(E, 12)` changes ask for."""
    asked = (delta != 0.0).any(axis=0)
    return np.array([any(asked[AU_COLUMN[unit]] for unit in group) for group in PERSONAL_GROUPS])
