"""The skin's own chart: a flat picture of the canonical face on which every frame lies the same.

What a fold does to the skin is known there, and is put on each frame where its points are. The
chart has 16 pixels per centimetre of the canonical face, 352² in all.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import FaceFrame, control_points, face_frame
from engines.editors.rig.map import interpolation
from engines.editors.rig.points import SKIN, SKIN_MESH, UNDER_BROWS
from engines.editors.rig.warp import fit_spline, spline_on_grid
from engines.faces.canonical import canonical_face
from engines.faces.ibug import ibug_points

SIDE = 352
PX_PER_CM = 16.0
_RAISED = 8.0  # chart pixels: there is more of a face below its origin than above
_NODES = 33
_GIVE = 1e-4
_FROM_FRONT = np.array([[1.0, 0.0], [0.0, -1.0], [0.0, 0.0]])
_NEAR = 0.01  # splines are solved best in numbers around 1
USED = np.r_[
    np.arange(60),
    np.arange(*UNDER_BROWS.indices(200)),
    np.arange(*SKIN.indices(82 + len(SKIN_MESH))),
]
"""Of the rig's points those that place the skin: all but the inner lips."""


def mesh_on_chart() -> NDArray[np.float64]:
    """`(468, 2)` chart pixels of the mesh points."""
    x, y = canonical_face().points_cm[:, :2].T * PX_PER_CM
    return np.column_stack([SIDE / 2 + x, SIDE / 2 - _RAISED - y])


@functools.cache
def points_on_chart() -> NDArray[np.float64]:
    """`(P, 2)` chart pixels of the rig's points that are in use."""
    mesh = mesh_on_chart()
    marks = ibug_points(mesh).astype(np.float64)
    upright = FaceFrame(np.zeros(2), np.eye(2), 1.0, _FROM_FRONT)
    points = control_points(upright, marks / SIDE) * SIDE
    points[:68] = marks
    points[SKIN] = mesh[list(SKIN_MESH)]
    return points[USED]


def on_chart(
    image: NDArray[Any], landmarks_px: NDArray[np.floating], pose: NDArray[np.floating] | None
) -> NDArray[Any]:
    """`(352, 352)` or `(352, 352, 3)`: a face's skin on the chart, as the crop shows it."""
    frame = face_frame(landmarks_px, pose)
    at_px = frame.to_px(control_points(frame, landmarks_px))[USED]
    from_px = _dense(points_on_chart(), at_px, (0, 0, SIDE, SIDE))
    nothing: Any = None
    return cv2.remap(image, from_px, nothing, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def from_chart(
    chart: NDArray[np.float32], points_px: NDArray[np.float64], box: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """`(h, w)`: what the chart shows at each pixel of a box of a crop, 0 outside it.

    Args:
        points_px: `(P, 2)` crop pixels of the rig's points.
        box: x0, y0, x1, y1.
    """
    where = _dense(points_px[USED], points_on_chart(), box)
    nothing: Any = None
    how = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": 0.0}
    return np.asarray(cv2.remap(chart, where, nothing, cv2.INTER_LINEAR, **how), np.float32)


def _dense(
    at: NDArray[np.float64], to: NDArray[np.float64], box: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """`(h, w, 2)` where the spline that takes `at` to `to` takes each pixel of a box."""
    x0, y0, x1, y1 = box
    x, y = np.linspace(x0, x1 - 1, _NODES), np.linspace(y0, y1 - 1, _NODES)
    weights = fit_spline(at * _NEAR, to, _GIVE)
    nodes = spline_on_grid(at * _NEAR, weights, x * _NEAR, y * _NEAR).astype(np.float32)
    down = interpolation(np.arange(y0, y1), y)
    along = interpolation(np.arange(x0, x1), x)
    lines = np.matmul(along, nodes).reshape(_NODES, -1)
    return (down @ lines).reshape(y1 - y0, x1 - x0, 2)
