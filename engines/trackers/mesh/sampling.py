"""Turned boxes read out of a frame, to the bit alike on every OpenCV.

Source: specs of MediaPipe's image-to-tensor step, measured against its own output. `cv2.warpAffine`
differs between OpenCV 4 and 5 by 0.07 % of the outer-eye distance; a remap with coordinates already
snapped to 1/32 px does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame

_STEPS = 32  # (2 ** 5) positions per pixel, OpenCV's own table of bilinear weights


@dataclass(frozen=True)
class Region:
    """A turned box in frame pixels: centre, sides, and angle in radians (clockwise on screen)."""

    cx: float
    cy: float
    width: float
    height: float
    angle: float = 0.0

    def to_frame(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """`(…, 2)` points in units of the sides (0…1 inside) → float64 frame pixels."""
        x = (points[..., 0].astype(np.float64) - 0.5) * self.width
        y = (points[..., 1].astype(np.float64) - 0.5) * self.height
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.stack([self.cx + x * cos - y * sin, self.cy + x * sin + y * cos], axis=-1)


def sample(frame: RGBFrame, region: Region, size: int, *, replicate: bool) -> NDArray[np.uint8]:
    """The region as `(size, size, 3)` uint8: bilinear, no antialiasing, no half-pixel shift.

    Outside the frame: the nearest frame pixel (`replicate`) or 0.
    """
    steps = (np.arange(size) / size - 0.5) * _STEPS
    right, down = steps * region.width, (steps * region.height)[:, None]
    cos, sin = np.cos(region.angle), np.sin(region.angle)
    x = np.rint(right * cos - down * sin + region.cx * _STEPS)
    y = np.rint(right * sin + down * cos + region.cy * _STEPS)
    limit = 32767 * _STEPS  # int16 whole pixels; beyond lies far outside any frame
    snapped = np.empty((size, size, 2), np.int32)
    snapped[..., 0] = np.clip(x, -limit, limit)
    snapped[..., 1] = np.clip(y, -limit, limit)
    whole = (snapped >> 5).astype(np.int16)
    part = snapped & (_STEPS - 1)
    weights = (part[..., 1] * _STEPS + part[..., 0]).astype(np.uint16)
    border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
    pixels = cv2.remap(frame, whole, weights, cv2.INTER_LINEAR, borderMode=border)
    return pixels.astype(np.uint8, copy=False)
