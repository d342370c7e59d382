"""The points of a face that a warp moves: the 68 of iBUG, and those that follow from them.

Beyond the tracker's landmarks a smooth warp needs skin between them, two more points along each
inner lip for a mouth that opens round, and the brows' lower edges, which keep their thickness.
Where the skin lies is read off the canonical face, drawn out to the landmarks by a thin-plate
spline: which is linear in them, so it is one matrix.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from engines.faces.canonical import canonical_face
from engines.faces.ibug import ibug_points
from engines.faces.mirror import mesh_mirror

UPPER_INNER: tuple[int, ...] = (68, 61, 62, 63, 69)
LOWER_INNER: tuple[int, ...] = (70, 67, 66, 65, 71)
"""Inner lips without their corners, image left first."""
BROWS = slice(17, 27)
UNDER_BROWS = slice(72, 82)
SKIN = slice(82, None)
INNER_LIPS_MESH = (80, 310, 88, 318)
"""The mesh points of 68, 69, 70 and 71: between a corner and a third of the way to the middle."""

# fmt: off
_MIDDLE_MESH = (18, 200, 164, 9, 151, 6)
_LEFT_MESH = (
    50, 205, 187, 216, 212, 202, 204, 101, 118, 123, 147, 192, 214, 210, 83, 43, 92, 36, 111, 230,
    27, 247, 108, 104, 68, 67, 49, 198, 122,
)
# fmt: on
SKIN_MESH: tuple[int, ...] = (
    *_MIDDLE_MESH,
    *_LEFT_MESH,
    *(int(mesh_mirror()[point]) for point in _LEFT_MESH),
)
"""Mesh points of the skin points, in their order."""
_GIVE = 1e-2  # a stiffer spline would amplify the landmarks' trembling up to sevenfold
POINTS = 82 + len(SKIN_MESH)

# fmt: off
_MIRROR_IBUG = (
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
    26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
    27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)
# fmt: on
_MIDDLE, _SIDE = len(_MIDDLE_MESH), len(_LEFT_MESH)
MIRROR: NDArray[np.intp] = np.array(
    [
        *_MIRROR_IBUG,
        *(69, 68, 71, 70),
        *range(81, 71, -1),
        *range(82, 82 + _MIDDLE),
        *range(82 + _MIDDLE + _SIDE, POINTS),
        *range(82 + _MIDDLE, 82 + _MIDDLE + _SIDE),
    ]
)
"""`(P,)`: each point's twin on the other side; points of the middle line are their own."""


@functools.cache
def skin_from_landmarks() -> NDArray[np.float64]:
    """`(K, 68)`: skin points = this · landmarks, in any frame of the plane.

    Source of the spline: F. L. Bookstein, Principal Warps, 1989.
    """
    cm = canonical_face().points_cm
    at = ibug_points(cm).astype(np.float64)[:, :2]
    unit = np.linalg.norm(at[45] - at[36])
    at, skin = at / unit, cm[list(SKIN_MESH), :2] / unit
    count = len(at)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(at, at) + _GIVE * np.eye(count)
    system[:count, count] = system[count, :count] = 1.0
    system[:count, count + 1 :], system[count + 1 :, :count] = at, at.T
    asked = np.column_stack([_kernel(skin, at), np.ones(len(skin)), skin])
    return np.linalg.solve(system, asked.T).T[:, :count].astype(np.float64)


def _kernel(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    q = ((one[:, None] - other) ** 2).sum(axis=2)
    return q * np.log(q + 1e-30)
