"""From a warp on a grid to the pixels it changes: what each shows, and the mask around them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.warp import GridWarp

_MASK_MIN = 1 / 512


@dataclass(frozen=True)
class PixelMap:
    """The rectangle of a crop in which anything moves.

    Attributes:
        x0, y0: its upper left pixel.
        from_px: `(h, w, 2)` float32: x, y of what each pixel shows.
        mask: `(h, w)` float32 0…1: 1 where anything moves, 0 on the border.
    """

    x0: int
    y0: int
    from_px: NDArray[np.float32]
    mask: NDArray[np.float32]

    @property
    def window(self) -> tuple[slice, slice]:
        """The rectangle in the crop."""
        height, width = self.mask.shape
        return slice(self.y0, self.y0 + height), slice(self.x0, self.x0 + width)

    def part(self, box_px: NDArray[np.int64]) -> tuple[slice, slice]:
        """What the rectangle has of a box, `(2, 2)` least and greatest x, y in crop pixels."""
        (left, top), (right, bottom) = np.maximum(box_px - [self.x0, self.y0], 0).tolist()
        height, width = self.mask.shape
        return slice(min(top, height), min(bottom, height)), slice(
            min(left, width), min(right, width)
        )

    def pixels(self, part: tuple[slice, slice]) -> NDArray[np.float64]:
        """`(h, w, 2)` x, y in the crop of the pixels of a part."""
        y, x = np.mgrid[part]
        return np.stack([x + self.x0, y + self.y0], axis=-1).astype(np.float64)


def draw_map(warp: GridWarp) -> PixelMap | None:
    """The warp in pixels, or None where nothing moves.

    The offsets are linear between nodes. The mask is 1 on each cell that moves and on the cells
    around it, then falls to 0.
    """
    cover = _cover(warp)
    rows, columns = _used(cover, 1), _used(cover, 0)
    y, x = _pixels(warp.y_px[rows]), _pixels(warp.x_px[columns])
    if not len(y) or not len(x):
        return None
    down = interpolation(y, warp.y_px[rows])
    along = interpolation(x, warp.x_px[columns]).T
    nodes = np.stack(np.meshgrid(warp.x_px[columns], warp.y_px[rows]), axis=-1)
    shown = (nodes + warp.offset_px[rows, columns]).astype(np.float32)
    # Along first, both coordinates at once: what comes out of the product is the map as it lies.
    lines = np.matmul(along.T, shown).reshape(len(shown), -1)
    from_px = (down @ lines).reshape(len(y), len(x), 2)
    mask = np.minimum(down @ (cover[rows, columns] @ along), np.float32(1.0))
    cv2.threshold(mask, np.nextafter(np.float32(_MASK_MIN), 0), 0, cv2.THRESH_TOZERO, dst=mask)
    return PixelMap(int(x[0]), int(y[0]), from_px, mask)


def _cover(warp: GridWarp) -> NDArray[np.float32]:
    """`(G, G)` 0…1: 1 on all nodes of a cell that moves, falling to 0 beyond, 0 on the border."""
    moving = np.any(warp.offset_px != 0.0, axis=-1).astype(np.float32)
    wide = cv2.dilate(moving, np.ones((5, 5), np.float32))
    cover = cv2.blur(wide, (3, 3)).astype(np.float32)
    cover[[0, -1]] = cover[:, [0, -1]] = 0.0
    return cover


def _used(cover: NDArray[np.float32], axis: int) -> slice:
    """The nodes in use along the other axis, and one on either side, where the mask is 0."""
    used = np.flatnonzero(np.any(cover, axis=axis))
    if not len(used):
        return slice(0, 0)
    return slice(max(int(used[0]) - 1, 0), int(used[-1]) + 2)


def _pixels(nodes_px: NDArray[np.float64]) -> NDArray[np.int64]:
    """The pixels between the first node and the last."""
    if not len(nodes_px):
        return np.empty(0, np.int64)
    return np.arange(np.ceil(nodes_px[0]), np.floor(nodes_px[-1]) + 1).astype(np.int64)


def interpolation(pixels: NDArray[np.int64], nodes_px: NDArray[np.float64]) -> NDArray[np.float32]:
    """`(pixels, nodes)` weights that interpolate linearly between evenly spaced nodes."""
    place = (pixels - nodes_px[0]) / (nodes_px[1] - nodes_px[0])
    weights = 1.0 - np.abs(place[:, None] - np.arange(len(nodes_px)))
    return np.maximum(weights, 0.0).astype(np.float32)
