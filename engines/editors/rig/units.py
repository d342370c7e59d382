"""How far each point of the rig goes for each action unit, in the head's own axes.

The amounts are those of MakeHuman's face units (CC0), carried over to the mesh of the tracker and
averaged over six heads (pipeline/heads/units.py made the packaged file; the heads differ by less
than .003). Intensity 5 is a whole face unit; AU26 is .6 of an open jaw.
"""

from __future__ import annotations

import functools
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from engines.devices.litert import packaged_model
from engines.editors.rig.points import (
    BROWS,
    INNER_LIPS_MESH,
    POINTS,
    SKIN,
    SKIN_MESH,
    UNDER_BROWS,
)
from engines.faces.ibug import ibug_points
from keyframes.au import AU_NAMES, LID_NAMES

FACE_UNITS = "face_units.npz"
FULL = 5.0
"""The intensity of a whole face unit."""
UNIT_LIMIT = 8.0


@functools.cache
def unit_field() -> NDArray[np.float64]:
    """`(14, P, 3)` per unit, AU_ORDER then LID_NAMES: x to the viewer's right, y up, z at you.

    In outer-eye distances of the face seen from the front, of a head that looks at the viewer.
    """
    with np.load(BytesIO(packaged_model(FACE_UNITS))) as stored:
        return np.stack([_on_points(stored[name]) for name in (*AU_NAMES, *LID_NAMES)]) / FULL


def _on_points(moved: NDArray[np.float32]) -> NDArray[np.float64]:
    """`(468, 3)` of the mesh → `(P, 3)` of the rig."""
    field = np.zeros((POINTS, 3))
    field[:68] = ibug_points(moved)
    field[68:72] = moved[list(INNER_LIPS_MESH)]
    field[UNDER_BROWS] = field[BROWS]
    field[SKIN] = moved[list(SKIN_MESH)]
    return field


@functools.cache
def lips_opening() -> NDArray[np.float64]:
    """`(14,)` by how much a unit parts the middle of the inner lips, outer-eye distances."""
    down = -unit_field()[:, :, 1]
    return down[:, [67, 66, 65]].mean(axis=1) - down[:, [61, 62, 63]].mean(axis=1)


def effective_units(delta: NDArray[np.floating]) -> NDArray[np.float64]:
    """What a delta moves: itself up to 5 units, softly less beyond, never more than 8."""
    asked = np.asarray(delta, np.float64)
    beyond, room = np.maximum(np.abs(asked) - FULL, 0.0), UNIT_LIMIT - FULL
    return np.sign(asked) * (np.minimum(np.abs(asked), FULL) + room * np.tanh(beyond / room))
