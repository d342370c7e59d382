"""Where the 68 iBUG points of a drawn person truly are, and where each action unit moves them.

Which vertex stands for which point: of 18 people drawn at rest, seen by the mesh tracker, the
vertex nearest to each point on average (0.01–0.06 of the outer-eye distance; brows and jaw most).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_ORDER, INTENSITY_MAX
from pipeline.heads.people import Person, person
from pipeline.heads.render import FRONTAL, View, project

# fmt: off
VERTICES: NDArray[np.intp] = np.array([
    1903, 1760, 1754, 736, 1814, 1872, 1800, 1796, 1745, 4001, 4057, 4125, 4071, 3045, 4014, 4020,
    4155, 212, 225, 224, 230, 233, 2595, 2586, 2587, 2588, 2613, 133, 131, 164, 1628, 325, 308,
    2664, 2665, 2676, 27, 1572, 55, 1616, 1586, 41, 2447, 2428, 2379, 2394, 2414, 2420, 1546, 1926,
    460, 466, 2808, 4176, 3814, 2828, 2834, 492, 490, 484, 498, 507, 509, 2845, 2837, 2849, 468,
    462,
])
# fmt: on
_PEOPLE = 6


def true_landmarks(
    one: Person, intensity: NDArray[np.floating], view: View = FRONTAL
) -> NDArray[np.float32]:
    """`(68, 2)` float32 iBUG points in pixels of `render_person`'s picture, hidden ones too."""
    points_px, _ = project(one, one.at(intensity), view)
    return points_px[VERTICES].astype(np.float32)


def unit_fields(columns: Sequence[int] = range(len(AU_ORDER))) -> NDArray[np.float64]:
    """`(K, 68, 2)` of columns of AU_ORDER: what intensity 5 moves each point by, x right and y
    down, in outer-eye distances, seen from the front; the mean of six people (spread below 0.003).
    """
    return np.array([_field(int(column)) for column in columns]).reshape(-1, 68, 2)


@cache
def _field(column: int) -> NDArray[np.float64]:
    """`(68, 2)` of one unit: 20 ms, so only those that are asked for are computed."""
    whole = np.zeros(len(AU_ORDER))
    whole[column] = INTENSITY_MAX
    return np.mean([_moved(number, whole) for number in range(_PEOPLE)], axis=0)


def _moved(number: int, intensity: NDArray[np.float64]) -> NDArray[np.float64]:
    rest = _rest(number)
    eyes = np.linalg.norm(rest[36] - rest[45])
    return (true_landmarks(person(number), intensity) - rest) / eyes


@cache
def _rest(number: int) -> NDArray[np.float64]:
    return true_landmarks(person(number), np.zeros(len(AU_ORDER))).astype(np.float64)
