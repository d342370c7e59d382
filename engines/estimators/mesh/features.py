"""What the embedded AU estimator measures of one face: blendshapes and de-rotated distances."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engines.faces.head_pose import rotation_of
from engines.trackers.mesh.landmarks import BLENDSHAPE_NAMES

_Points = NDArray[np.float64]


def _columns(*names: str) -> NDArray[np.intp]:
    return np.array([BLENDSHAPE_NAMES.index(name) for name in names])


def _both(name: str) -> NDArray[np.intp]:
    return _columns(f"{name}Left", f"{name}Right")


# Each feature is the mean of these blendshapes: the two sides, or the one that covers both.
_BLENDSHAPES: dict[str, NDArray[np.intp]] = {
    "browInnerUp": _columns("browInnerUp"),
    "browOuterUp": _both("browOuterUp"),
    "browDown": _both("browDown"),
    "eyeBlink": _both("eyeBlink"),
    "eyeSquint": _both("eyeSquint"),
    "eyeWide": _both("eyeWide"),
    "jawOpen": _columns("jawOpen"),
    "mouthFrown": _both("mouthFrown"),
    "mouthPucker": _columns("mouthPucker"),
    "mouthShrugLower": _columns("mouthShrugLower"),
    "mouthSmile": _both("mouthSmile"),
    "mouthStretch": _both("mouthStretch"),
    "mouthUpperUp": _both("mouthUpperUp"),
}
_ACTIVE = np.array(
    [
        column
        for column, name in enumerate(BLENDSHAPE_NAMES)
        if name.startswith(("mouth", "jaw", "brow", "cheek", "nose"))
    ]
)


def _height(p: _Points, low: tuple[int, ...], high: tuple[int, ...]) -> float:
    """How far the mean of `high` lies above that of `low`."""
    return float(p[list(low), 1].mean() - p[list(high), 1].mean())


# Of levelled points: x right, y down, unit = outer-eye distance.
_DISTANCES: dict[str, Callable[[_Points], float]] = {
    "brow_in": lambda p: _height(p, (133, 362), (107, 55, 336, 285)),
    "brow_out": lambda p: _height(p, (33, 263), (70, 63, 300, 293)),
    "brow_gap": lambda p: float(p[285, 0] - p[55, 0]),
    "eye": lambda p: (_height(p, (145,), (159,)) + _height(p, (374,), (386,))) / 2,
    "nose_wing": lambda p: _height(p, (98, 327), (133, 362)),
    "corner_up": lambda p: _height(p, (2,), (61, 291)),
    "corner_vs_lip": lambda p: _height(p, (61, 291), (13, 14)),
    "width": lambda p: float(p[291, 0] - p[61, 0]),
    "gap": lambda p: _height(p, (14,), (13,)),
    "jaw": lambda p: _height(p, (152,), (2,)),
    "lowlip": lambda p: _height(p, (17,), (2,)),
}

FEATURE_NAMES: tuple[str, ...] = (*_BLENDSHAPES, "activity", *_DISTANCES)
"""Blendshapes (0…1), how much the face moves, and distances in outer-eye distances."""


def levelled_points(
    mesh_px: NDArray[np.floating], matrix: NDArray[np.floating]
) -> NDArray[np.float64]:
    """`(N, 3)` mesh points as seen from the front: head rotation undone, origin between the outer
    eye corners, which are level and 1 apart."""
    to_image = np.diag([1.0, -1.0, -1.0])  # the matrix has y up and z to the viewer
    rotation = to_image @ rotation_of(matrix) @ to_image
    points = mesh_px.astype(np.float64)
    points = (points - (points[33] + points[263]) / 2) @ rotation
    dx, dy = points[263, :2] - points[33, :2]
    unit = float(np.hypot(dx, dy))
    level = np.array([[dx, -dy, 0.0], [dy, dx, 0.0], [0.0, 0.0, unit]]) / unit
    return points @ level / unit


def mesh_features(
    mesh_px: NDArray[np.float32],
    blendshapes: NDArray[np.float32],
    matrix: NDArray[np.float32],
) -> NDArray[np.float32]:
    """`(K,)` float32 in the order of FEATURE_NAMES, of one face."""
    values = blendshapes.astype(np.float64)
    shapes = [values[columns].mean() for columns in _BLENDSHAPES.values()]
    activity = values[_ACTIVE].sum() + 2 * values[_BLENDSHAPES["eyeBlink"]].mean()
    points = levelled_points(mesh_px, matrix)
    distances = [distance(points) for distance in _DISTANCES.values()]
    return np.array([*shapes, activity, *distances], np.float32)
