"""A thin-plate spline over a face: control points and anchors → a backward map on a small grid.

The spline is fitted where the points *go* and answers where a pixel comes *from*, so the points
arrive all but exactly. It is evaluated on a grid, made 0 towards the border of the face's
surroundings, and held from folding: a grid cell never turns over.

Source of the formulas: F. L. Bookstein, Principal Warps, 1989.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import FaceFrame
from keyframes.curves.easing import smoothstep

GRID = 49
"""Nodes per side."""
JACOBIAN_MIN = 0.02
_ROUNDS = 40
_STILL_PX, _MOVING_PX = 0.02, 0.06  # below: nothing moves; above: all of it
_NOT_ZERO = 1e-30
_GIVE = 1e-6
_THREE = np.ones((3, 3), np.float32)
_ROWS = 8


@dataclass(frozen=True)
class GridWarp:
    """Where the pixels of a rectangle come from.

    Attributes:
        x_px, y_px: `(G,)` float64 crop pixels of the grid's columns and rows, evenly spaced.
        offset_px: `(G, G, 2)`: a pixel at a node shows what lies at node + offset.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    offset_px: NDArray[np.floating[Any]]

    def jacobian(self) -> NDArray[Any]:
        """`(4, G − 1, G − 1)`: determinant of the backward map in the corners of each cell.

        A cell is bilinear, so its least determinant lies in a corner.
        """
        a, b, c, d = self._slopes()
        return (1.0 + a) * (1.0 + d) - b * c

    def _slopes(self) -> tuple[NDArray[Any], ...]:
        along = np.diff(self.offset_px, axis=1) / (self.x_px[1] - self.x_px[0])
        down = np.diff(self.offset_px, axis=0) / (self.y_px[1] - self.y_px[0])
        edges_x = np.stack([along[:-1], along[:-1], along[1:], along[1:]])
        edges_y = np.stack([down[:, :-1], down[:, 1:], down[:, :-1], down[:, 1:]])
        return edges_x[..., 0], edges_x[..., 1], edges_y[..., 0], edges_y[..., 1]


def anchors(frame: FaceFrame, points: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """`(A, 2)` face units: points that stay: beside the jaw, on the neck, above the brows, and on
    the crop's border."""
    jaw = points[:17]
    centre = np.array([points[27:31, 0].mean(), points[27:31, 1].mean() + 0.2])
    beside = centre + (jaw[[*range(7), *range(10, 17)]] - centre) * 1.22
    # Two close rows: a spline that has to stop at one swings beyond it, and drags the collar.
    steps = np.array([[0.0, 0.25], [0.0, 0.3], [0.0, 0.5]])
    neck = (jaw[4:13] + steps[:, None]).reshape(-1, 2)
    above = points[[17, 19, 21, 22, 24, 26]] * [1.15, 1.0] - [0.0, 0.62]
    along = np.linspace(0.0, size - 1.0, 6)[:-1]
    start, end = np.zeros(5), np.full(5, size - 1.0)
    border_x = np.concatenate([along, end, end - along, start])
    border_y = np.concatenate([start, along, end, end - along])
    border = frame.from_px(np.column_stack([border_x, border_y]))
    return np.concatenate([beside, neck, above, border])


def surroundings(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(2, 2)` face units: least and greatest corner of what may move at all."""
    face = points[:68]
    margin = np.array([[-0.22, -0.75], [0.22, 0.45]])
    return np.stack([face.min(axis=0), face.max(axis=0)]) + margin


def _kernel(q: NDArray[Any]) -> NDArray[Any]:
    """r² log r² of squared distances."""
    return q * np.log(q + q.dtype.type(_NOT_ZERO))


def fit_spline(
    at: NDArray[np.float64], values: NDArray[np.float64], give: float = _GIVE
) -> NDArray[np.floating]:
    """`(P + 3, 2)` weights of the thin-plate spline through `values` at `at`, or past them by a
    little where it may give."""
    count = len(at)
    system = np.zeros((count + 3, count + 3))
    difference = at[:, None] - at[None]
    system[:count, :count] = _kernel(np.einsum("ijk,ijk->ij", difference, difference))
    system.flat[: count * (count + 3) : count + 4] += give
    system[:count, count] = system[count, :count] = 1.0
    system[:count, count + 1 :] = at
    system[count + 1 :, :count] = at.T
    return np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2))]))


def spline_on_grid(
    at: NDArray[np.float64],
    weights: NDArray[np.floating],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> NDArray[np.float64]:
    """`(G, G, 2)`: the spline's values on the grid of columns x and rows y; float32 inside."""
    points, kernel_weights = at.astype(np.float32), weights[:-3].astype(np.float32)
    across = (x.astype(np.float32)[:, None] - points[:, 0]) ** 2
    down = (y.astype(np.float32)[:, None] - points[:, 1]) ** 2
    field = np.empty((len(y), len(x), 2))
    for row in range(0, len(y), _ROWS):  # few rows at a time stay in the cache
        q = down[row : row + _ROWS, None] + across
        field[row : row + _ROWS] = _kernel(q) @ kernel_weights
    affine_x, affine_y = x[:, None] * weights[-2], y[:, None] * weights[-1]
    return field + weights[-3] + affine_x + affine_y[:, None]


def face_grid(
    frame: FaceFrame, points: NDArray[np.float64], size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns and rows of the grid, crop pixels: the surroundings' bounding box inside the crop."""
    (x0, y0), (x1, y1) = surroundings(points)
    corners = frame.to_px(np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]]))
    low = np.clip(corners.min(axis=0), 0.0, size - 2.0)
    high = np.clip(corners.max(axis=0), low + 1.0, size - 1.0)
    return np.linspace(low[0], high[0], GRID), np.linspace(low[1], high[1], GRID)


def _window(
    points: NDArray[np.float64], where: NDArray[np.float64], grid: tuple[NDArray[np.float64], ...]
) -> NDArray[np.float64]:
    """`(G, G)`: 1 on the face, 0 at its surroundings' border and in the grid's outer cells."""
    low, high = surroundings(points)
    ramp = np.minimum(where - low, high - where) / [0.2, 0.3]
    ramps = [np.clip(ramp.min(axis=-1), 0.0, 1.0)]
    for axis, px in enumerate(grid):
        edge = np.clip(np.minimum(px - px[1], px[-2] - px) / (2.0 * (px[1] - px[0])), 0.0, 1.0)
        ramps.append(edge[None, :] if axis == 0 else edge[:, None])
    smooth = [smoothstep(ramp) for ramp in ramps]
    return smooth[0] * smooth[1] * smooth[2]


def fit_warp(
    frame: FaceFrame, points: NDArray[np.float64], moved: NDArray[np.float64], size: int
) -> GridWarp:
    """The backward map that takes each point where it should go, or as near as nothing folds.

    Args:
        frame: the face's frame in a `size`² crop.
        points: `(P, 2)` face units.
        moved: `(P, 2)` face units.
        size: side of the crop, pixels.
    """
    x_px, y_px = face_grid(frame, points, size)
    nodes = frame.from_px(np.stack(np.meshgrid(x_px, y_px), axis=-1))
    window = _window(points, nodes, (x_px, y_px))[..., None]
    still = anchors(frame, points, size)
    # A thin-plate spline turns with its points: along the crop's axes the grid is separable.
    origin, axes, unit_px = frame.origin_px, frame.axes, frame.unit_px
    x, y = (x_px - origin[0]) / unit_px, (y_px - origin[1]) / unit_px

    at = np.concatenate([points + moved, still]) @ axes
    values = np.concatenate([-moved, np.zeros_like(still)]) @ axes
    field = spline_on_grid(at, fit_spline(at, values), x, y)
    return _unfolded(GridWarp(x_px, y_px, _stilled(field * window * unit_px)))


def _unfolded(warp: GridWarp) -> GridWarp:
    """The warp with its offsets evened out just where a cell would turn over, round by round.

    It is one or two rounds and a few cells: where a shut mouth tears open, or under a brow.
    """
    offset = warp.offset_px.astype(np.float32)
    for _ in range(_ROUNDS):
        folded = (GridWarp(warp.x_px, warp.y_px, offset).jacobian() < JACOBIAN_MIN).any(axis=0)
        if not folded.any():
            return GridWarp(warp.x_px, warp.y_px, offset)
        nodes = np.zeros(offset.shape[:2], np.float32)
        for corner in (np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, :-1], np.s_[1:, 1:]):
            nodes[corner] += folded
        around = cv2.blur(cv2.dilate((nodes > 0).astype(np.float32), _THREE), (3, 3))[..., None]
        offset += around * (cv2.blur(offset, (3, 3)) - offset)
    return GridWarp(warp.x_px, warp.y_px, np.zeros_like(offset))


def _stilled(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """The offsets with those nobody can see made 0."""
    length = np.hypot(offset[..., 0], offset[..., 1])
    return offset * smoothstep(length, _STILL_PX, _MOVING_PX)[..., None]
