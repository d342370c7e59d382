"""The points of a face that a warp moves: the 68 of iBUG, and those that follow from them.

Beyond the tracker's landmarks a smooth warp needs skin between them, two more points along each
inner lip for a mouth that opens round, and the brows' lower edges, which keep their thickness.
Where the skin lies is read off the canonical face at the head's pose, drawn out to the landmarks
by a thin-plate spline.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from engines.faces.canonical import canonical_face
from engines.faces.ibug import ibug_points
from engines.faces.mirror import mesh_mirror
from keyframes.curves.easing import smoothstep

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
_HIDES = (0.05, 0.3)  # sines of the yaw between which the far side of the jaw goes out of sight
_JAW_LEFT, _JAW_RIGHT = slice(0, 8), slice(9, 17)
POINTS = 82 + len(SKIN_MESH)
CONTOURS = tuple(
    [82 + SKIN_MESH.index(point) for point in side]
    for side in ((123, 147, 192, 214, 210), (352, 376, 416, 434, 430))
)
"""The outermost skin points of the cheeks, image left and right, from above."""

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


def place_skin(seen: NDArray[np.float64], landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(K, 2)` where the skin points are, in the frame of the landmarks.

    The canonical face as this head's pose shows it, drawn out to the landmarks. Those of the jaw's
    far side lie behind the cheek on a turned head, and draw nothing.

    Args:
        seen: `(3, 2)` what a step along the head's axes is.
        landmarks: `(68, 2)` outer-eye distances.

    Source of the spline: F. L. Bookstein, Principal Warps, 1989.
    """
    marks, skin = (part @ seen for part in _canonical())
    middle = (marks[36] + marks[45]) / 2
    marks, skin = marks - middle, skin - middle
    count = len(marks)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(marks, marks) + np.diag(_give(float(seen[2, 0])))
    system[:count, count] = system[count, :count] = 1.0
    system[:count, count + 1 :], system[count + 1 :, :count] = marks, marks.T
    off = np.concatenate([landmarks - marks, np.zeros((3, 2))])
    asked = np.column_stack([_kernel(skin, marks), np.ones(len(skin)), skin])
    return skin + asked @ np.linalg.solve(system, off)


@functools.cache
def _canonical() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`(68, 3)` landmarks and `(K, 3)` skin points, outer-eye distances."""
    cm = canonical_face().points_cm.astype(np.float64)
    marks = ibug_points(cm).astype(np.float64)
    unit = np.linalg.norm((marks[45] - marks[36])[:2])
    return marks / unit, cm[list(SKIN_MESH)] / unit


def _give(turned: float) -> NDArray[np.float64]:
    """`(68,)` of the spline at each landmark; `turned`: sine of the yaw."""
    give = np.full(68, _GIVE)
    far = _JAW_LEFT if turned < 0.0 else _JAW_RIGHT
    give[far] = _GIVE ** (1.0 - smoothstep(abs(turned), *_HIDES))
    return give


def _kernel(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    q = ((one[:, None] - other) ** 2).sum(axis=2)
    return q * np.log(q + 1e-30)
