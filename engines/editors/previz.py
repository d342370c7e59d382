"""The preview editor: a warp of the crop on a CPU that shows timing and direction of all 12 AUs.

A preview, not a result: it has no wrinkles, no teeth and no skin of its own.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.previz_face import control_points, displacements, face_frame
from engines.editors.previz_mouth import Cavity, mouth_cavity
from engines.editors.previz_warp import GridWarp, fit_warp
from engines.errors import EngineError
from engines.interface import AlignedCrops, EditedCrops
from keyframes.au import AUDelta

MIN_SIZE = 64
_MASK_MIN = 1 / 512
_Image = NDArray[np.uint8] | NDArray[np.uint16]


class PrevizEditor:
    """Moves a face's points by a thin-plate spline; see previz_units.py for what moves where.

    A crop whose delta is all 0 comes back as it is, under an empty mask.

    Args:
        size: side of the square crops, pixels, at least 64.
        batch: crops per call, at least 1.

    Raises:
        EngineError: settings out of range; in `edit`, crops of another size, a delta of another
            length, or landmarks no face can have in a crop that is to change.
    """

    def __init__(self, size: int = 512, batch: int = 1) -> None:
        if size < MIN_SIZE:
            raise EngineError(f"editor 'previz': got size {size}; expected at least {MIN_SIZE}")
        if batch < 1:
            raise EngineError(f"editor 'previz': got batch {batch}; expected at least 1")
        self._size = size
        self._batch = batch

    @property
    def crop_size(self) -> int:
        return self._size

    @property
    def batch_size(self) -> int:
        return self._batch

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:  # noqa: ARG002
        """As the Protocol says; the reference is the crop, and the seed changes nothing."""
        if crops.images.shape[1] != self._size:
            raise EngineError(
                f"editor 'previz': got crops of {crops.images.shape[1]} px; "
                f"expected {self._size} px"
            )
        if len(delta) != len(crops):
            raise EngineError(
                f"editor 'previz': got {len(delta)} deltas for {len(crops)} crops; expected equal"
            )
        edited = crops.images.copy()
        mask = np.zeros(crops.images.shape[:3], np.float32)
        for number in np.flatnonzero(delta.active):
            _edit_one(
                crops.images[number],
                crops.landmarks_px[number],
                delta.values[number],
                edited[number],
                mask[number],
            )
        return EditedCrops(edited=edited, reference=crops.images.copy(), mask=mask)


def _edit_one(
    image: _Image,
    landmarks_px: NDArray[np.float32],
    delta: NDArray[np.float32],
    edited: _Image,
    mask: NDArray[np.float32],
) -> None:
    """Draws one edited crop and its mask into `edited` and `mask`, where anything moves."""
    frame = face_frame(landmarks_px)
    points = control_points(frame, landmarks_px)
    moved = displacements(frame, points, delta, len(image))
    warp = fit_warp(frame, points, moved, len(image))
    cavity = mouth_cavity(frame, points, points + warp.share * moved, image)
    _draw_warp(image, warp, edited, mask)
    if cavity is not None:
        _draw_cavity(cavity, edited)


def _draw_warp(image: _Image, warp: GridWarp, edited: _Image, mask: NDArray[np.float32]) -> None:
    cover = _grid_cover(warp)
    rows, columns = np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))
    if not len(rows):
        return
    y0, y1 = _pixel_range(warp.y_px, rows)
    x0, x1 = _pixel_range(warp.x_px, columns)
    y, x = np.arange(y0, y1), np.arange(x0, x1)
    down, along = _interpolation(y, warp.y_px), _interpolation(x, warp.x_px)
    offset = warp.offset_px.astype(np.float32)
    map_x = down @ (offset[..., 0] @ along.T) + x.astype(np.float32)
    map_y = down @ (offset[..., 1] @ along.T) + y.astype(np.float32)[:, None]
    edited[y0:y1, x0:x1] = cv2.remap(
        image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    smooth = np.minimum(down @ (cover @ along.T), 1.0)
    mask[y0:y1, x0:x1] = np.where(smooth < _MASK_MIN, 0.0, smooth)


def _grid_cover(warp: GridWarp) -> NDArray[np.float32]:
    """`(G, G)` 0…1: 1 on all nodes of a cell that moves, falling to 0 beyond, 0 on the border."""
    moving = np.any(warp.offset_px != 0.0, axis=-1).astype(np.float32)
    box = np.ones((3, 3), np.float32)
    cover = cv2.blur(cv2.dilate(moving, box, iterations=2), (3, 3))
    cover[[0, -1]] = cover[:, [0, -1]] = 0.0
    return cover


def _pixel_range(nodes_px: NDArray[np.float64], used: NDArray[np.intp]) -> tuple[int, int]:
    first, last = max(int(used[0]) - 1, 0), min(int(used[-1]) + 1, len(nodes_px) - 1)
    return int(np.floor(nodes_px[first])), int(np.ceil(nodes_px[last])) + 1


def _interpolation(pixels: NDArray[np.int64], nodes_px: NDArray[np.float64]) -> NDArray[np.float32]:
    """`(pixels, G)` weights that interpolate linearly between evenly spaced nodes."""
    place = (pixels - nodes_px[0]) / (nodes_px[1] - nodes_px[0])
    weights = 1.0 - np.abs(place[:, None] - np.arange(len(nodes_px)))
    return np.maximum(weights, 0.0).astype(np.float32)


def _draw_cavity(cavity: Cavity, edited: _Image) -> None:
    height, width = cavity.opacity.shape
    under = edited[cavity.y0 : cavity.y0 + height, cavity.x0 : cavity.x0 + width]
    opacity = cavity.opacity[..., None]
    painted = under + opacity * (cavity.colour - under)
    under[:] = np.rint(painted).astype(under.dtype)
