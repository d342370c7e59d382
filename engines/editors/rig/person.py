"""The rig bent to one person: how far and which way each point goes, against the rig's own.

A person is a turn and a stretch of every point's displacement, so it can neither move what a unit
leaves still nor turn a unit over.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.points import (
    BROWS,
    INNER_LIPS_MESH,
    POINTS,
    SKIN,
    SKIN_MESH,
    UNDER_BROWS,
)
from engines.editors.rig.units import unit_field
from engines.faces.canonical import canonical_face
from engines.faces.ibug import ibug_points
from engines.lent import PERSONAL_GROUPS
from keyframes.au import AU_COLUMN

_MIDDLE = 0.12  # outer-eye distances to either side of which one side goes over into the other


@functools.cache
def resting_places() -> NDArray[np.float64]:
    """`(P, 3)` the rig's points on the canonical face: x to the viewer's right, y up, z at you;
    outer-eye distances from the middle between the eyes."""
    cm = canonical_face().points_cm.astype(np.float64)
    places = np.zeros((POINTS, 3))
    places[:68] = ibug_points(cm)
    places[68:72] = cm[list(INNER_LIPS_MESH)]
    places[UNDER_BROWS] = places[BROWS]
    places[SKIN] = cm[list(SKIN_MESH)]
    eyes = places[[36, 45]]
    return (places - eyes.mean(axis=0)) / np.linalg.norm(eyes[1] - eyes[0])


@functools.cache
def sideways() -> NDArray[np.float64]:
    """`(P,)` −1 left of a face's middle, 1 right of it, smooth between."""
    return np.clip(resting_places()[:, 0] / _MIDDLE, -1.0, 1.0)


def outward(field: NDArray[np.float64], side: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(..., P, 2)` displacements x, y → those a quarter turn on: of what rises, outward.

    Args:
        side: `(P,)` of `sideways`: both halves of a face turn as each other's mirror image.
    """
    x, y = field[..., 0] * side, field[..., 1] * side
    return np.stack([y, -x], axis=-1)


def personal_field(factors: NDArray[np.floating]) -> NDArray[np.float64]:
    """`(14, P, 3)` as `unit_field`, its units bent to a person.

    Args:
        factors: `(G, P, 2)` per group of PERSONAL_GROUPS and point: how much of the displacement
            stays along the rig's, and how much goes outward; 1, 0 is the rig's own.
    """
    field = unit_field().copy()
    for group, (along, across) in zip(PERSONAL_GROUPS, np.moveaxis(factors, 2, 1), strict=True):
        for unit in group:
            own = field[AU_COLUMN[unit]]
            turned = outward(own[:, :2], sideways())
            own *= along[:, None]
            own[:, :2] += across[:, None] * turned
    return field
