"""Outside the face: the picture's error, less what the encoder alone does, and its worst place."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame

BLOCK = 16
"""Pixels; a macroblock, so that a local change is not thinned out over the picture."""
TOLERANCE = 1.5
"""Of the encoder's own worst block: two encodings of one shot differ by up to 1.3 (docs)."""


def background_error(before: RGBFrame, after: RGBFrame, outside: NDArray[np.uint8]) -> float:
    """RMSE over the pixels outside the face, 0…1 of full scale; NaN where there are none.

    Args:
        outside: `(H, W)` uint8, 255 outside.

    Source: MagicFace (2025), background error.
    """
    count = cv2.countNonZero(outside)
    if not count:
        return float("nan")
    return float(cv2.norm(before, after, cv2.NORM_L2, outside)) / float(np.sqrt(3 * count)) / 255


def without_encoder(error: float, floor: float) -> float:
    """An error less the encoder's own: the two are independent, so their squares subtract."""
    return float(np.sqrt(max(error**2 - floor**2, 0.0)))


class Block(NamedTuple):
    """A block of pixels: its mean absolute difference in 8-bit levels, and its upper left pixel."""

    difference: float
    x: int
    y: int


def worst_block(before: RGBFrame, after: RGBFrame, outside: NDArray[np.uint8]) -> Block:
    """The block outside the face that differs most; blocks that touch the face do not count."""
    difference = cv2.cvtColor(cv2.absdiff(before, after), cv2.COLOR_RGB2GRAY)
    height, width = difference.shape[0] // BLOCK, difference.shape[1] // BLOCK
    if not height or not width:
        return Block(0.0, 0, 0)
    cut = (slice(0, height * BLOCK), slice(0, width * BLOCK))
    size = (width, height)
    mean = cv2.resize(difference[cut].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(outside[cut], size, interpolation=cv2.INTER_AREA)
    mean[share < 255] = 0.0
    row, column = np.unravel_index(int(np.argmax(mean)), mean.shape)
    return Block(float(mean[row, column]), int(column) * BLOCK, int(row) * BLOCK)


def outside_verdict(worst: float, floor: float | None) -> str:
    """`identical`, `encoder` (no more than the encoder's own error) or `changed`.

    Args:
        worst: the worst block of the shot, 8-bit levels.
        floor: the same of the shot encoded again without an edit; None where that is not known.
    """
    if worst == 0.0:
        return "identical"
    return "encoder" if floor is not None and worst <= TOLERANCE * max(floor, 0.5) else "changed"
