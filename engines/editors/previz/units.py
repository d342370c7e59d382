"""Where each action unit moves each point of a face: the preview's whole knowledge of FACS.

Points are the 68 of iBUG; six on the skin that no tracker gives (cheek, beside the nose, forehead);
two more along each inner lip, for a mouth that opens round; and the brows' lower edges, which keep
their thickness. Displacements are in outer-eye distances (points 36–45) per AU unit, x outward from
the face's middle line, y down it. The amounts were measured on clips; the weights that spread one
over its neighbours follow the muscle's course.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_ORDER

CHEEK, NASOLABIAL, FOREHEAD = 68, 70, 72
"""First of two skin points, image left; its twin follows."""
UPPER_INNER: tuple[int, ...] = (74, 61, 62, 63, 75)
LOWER_INNER: tuple[int, ...] = (76, 67, 66, 65, 77)
"""Inner lips without their corners, image left first."""
BROWS = slice(17, 27)
UNDER_BROWS = slice(78, 88)
POINTS = 88
UNIT_LIMIT = 8.0

# fmt: off
_MIRROR_IBUG = (
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
    26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
    27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)
# fmt: on
MIRROR: NDArray[np.intp] = np.array(
    [*_MIRROR_IBUG, 69, 68, 71, 70, 73, 72, 75, 74, 77, 76, *range(87, 77, -1)]
)
"""`(88,)`: each point's twin on the other side; points of the middle line are their own."""

# fmt: off
_LEFT = [
    *range(8), *range(17, 22), 31, 32, *range(36, 42), 48, 49, 50, 58, 59, 60, 61, 67,
    68, 70, 72, 74, 76, *range(78, 83),
]
# fmt: on
OUTWARD: NDArray[np.float64] = np.zeros(POINTS)
"""`(88,)`: sign of outward in x: −1 image left, +1 image right, 0 on the middle line."""
OUTWARD[_LEFT] = -1.0
OUTWARD[MIRROR[_LEFT]] = 1.0

# fmt: off
CORNERS = {
    48: 1.0, 60: 1.0, 49: 0.55, 59: 0.55, 74: 0.55, 76: 0.55,
    61: 0.2, 67: 0.2, 50: 0.15, 58: 0.15,
}
# fmt: on
UPPER_LIP = {49: 0.6, 50: 1.0, 51: 1.0, 74: 0.65, 61: 0.95, 62: 1.0}
LOWER_LIP = {59: 0.75, 58: 1.0, 57: 1.0, 76: 0.7, 67: 0.97, 66: 1.0}
_CHIN = {8: 1.0, 7: 0.95, 6: 0.8}
_JAW = {8: 1.0, 7: 0.97, 6: 0.87, 5: 0.68, 4: 0.42, 3: 0.2, 2: 0.07}
_INNER_BROW = {21: 1.0, 20: 0.8, 19: 0.35}
_OUTER_BROW = {17: 0.8, 18: 1.0, 19: 0.8, 20: 0.3}
_WHOLE_BROW = {21: 1.0, 20: 1.0, 19: 0.9, 18: 0.7, 17: 0.4}
_UPPER_LID = {37: 1.0, 38: 1.0}
_LOWER_LID = {40: 1.0, 41: 1.0}

Weights = Mapping[int, float]
_Move = tuple[Weights, float, float]

# Weights of one side (image left and middle line), outward x, down y.
_MOVES: dict[int, tuple[_Move, ...]] = {
    1: ((_INNER_BROW, 0.0, -0.018), ({72: 1.0}, 0.0, -0.008)),
    2: ((_OUTER_BROW, 0.0, -0.018), ({72: 1.0}, 0.0, -0.005)),
    4: ((_WHOLE_BROW, -0.009, 0.013), ({72: 1.0}, -0.002, 0.004)),
    5: ((_UPPER_LID, 0.0, -0.0075),),
    6: ((_LOWER_LID, 0.0, -0.006), ({68: 1.0}, 0.0, -0.011), ({70: 0.4}, 0.0, -0.011)),
    9: (
        ({31: 1.0, 32: 0.7, 33: 0.4, 30: 0.3, 70: 0.8}, 0.0, -0.011),
        (UPPER_LIP, 0.0, -0.006),
        ({21: 1.0, 20: 0.6}, 0.0, 0.006),
    ),
    12: ((CORNERS, 0.013, -0.015), ({70: 1.0}, 0.005, -0.007), ({68: 1.0}, 0.002, -0.005)),
    15: ((CORNERS, 0.0, 0.014), ({70: 0.3}, 0.0, 0.014)),
    17: ((LOWER_LIP, 0.0, -0.010), (_CHIN, 0.0, -0.006)),
    20: ((CORNERS, 0.014, 0.004), ({70: 0.3}, 0.014, 0.0)),
    25: ((LOWER_LIP, 0.0, 0.010), (UPPER_LIP, 0.0, -0.004)),
    26: ((_JAW, 0.0, 0.024), (LOWER_LIP, 0.0, 0.019), ({48: 1.0, 60: 1.0, 49: 0.2}, 0.0, 0.005)),
}


def _field(moves: tuple[_Move, ...]) -> NDArray[np.float64]:
    field = np.zeros((POINTS, 2))
    for weights, x, y in moves:
        for point, weight in weights.items():
            field[point] += (weight * x, weight * y)
    field[:, 0] *= OUTWARD != 0.0
    twins = MIRROR[OUTWARD < 0.0]
    field[twins] = field[OUTWARD < 0.0]
    return field


UNIT_FIELD: NDArray[np.float64] = np.stack([_field(_MOVES[number]) for number in AU_ORDER])
"""`(12, 88, 2)` in AU_ORDER: displacement (outward, down) of each point per unit."""


def effective_units(delta: NDArray[np.floating]) -> NDArray[np.float64]:
    """What a delta moves: nearly itself when small, never more than 8 units."""
    return UNIT_LIMIT * np.tanh(np.asarray(delta, np.float64) / UNIT_LIMIT)
