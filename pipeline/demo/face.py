"""The demo's actor: one photograph whose jaw, mouth, brows, lids and head move.

All positions are pixels of astronaut.png (Eileen Collins, NASA, public domain; NOTICE says more).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.acting import Performance
from pipeline.errors import PipelineError

Plane = NDArray[np.floating[Any]]
Box = tuple[int, int, int, int]

SCALE = 2
"""The photograph is enlarged by this once, so that warping it costs no visible sharpness."""
FACE_CENTRE = (225.5, 132.0)
FACE_WIDTH = 89.3

HEAD_BOX: Box = (112, 0, 340, 240)
JAW_BOX: Box = (162, 136, 286, 204)
EYE_BOXES: tuple[Box, Box] = ((190, 84, 220, 110), (232, 86, 261, 112))
EYES = ((204.4, 9.6, 101.4, 3.9, 3.0), (246.0, 9.4, 103.6, 3.9, 2.9))  # x, half width, y, up, down
LID = 9.0  # skin between the lid's edge and the brow
BROWS = ((202.0, 87.0), (250.0, 89.5))
MOUTH_X, MOUTH_HALF_WIDTH, CORNER_Y = 223.4, 19.0, 140.2
UPPER_LIP, LOWER_LIP = 2.8, 9.0  # how far the inner edges hang below the corners
NECK = (226.0, 190.0)
CAVITY_RGB = (58, 20, 20)
JAW_PX, SPREAD_PX, BROW_PX, SWAY_PX, NOD_PX = 5.5, 2.0, 3.4, 4.5, 2.6


def photograph() -> NDArray[np.uint8]:
    """`(512, 512, 3)` uint8 RGB: the packaged portrait, decoded anew at each call."""
    content = (resources.files("pipeline.demo") / "astronaut.png").read_bytes()
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise PipelineError("pipeline/demo/astronaut.png is damaged; reinstall aureel")
    return np.asarray(bgr[..., ::-1].copy(), np.uint8)


def _smoothstep(x: Plane) -> Plane:
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def _bell(x: Plane, y: Plane, at: tuple[float, float], sx: float, sy: float) -> Plane:
    return np.exp(-0.5 * (((x - at[0]) / sx) ** 2 + ((y - at[1]) / sy) ** 2))


@dataclass(frozen=True)
class _Region:
    """A box of the photograph and its enlarged pixels within the enlarged head patch."""

    box: Box

    @cached_property
    def pixels(self) -> tuple[slice, slice]:
        x0, y0, x1, y1 = (SCALE * edge for edge in self.box)
        left, top = SCALE * HEAD_BOX[0], SCALE * HEAD_BOX[1]
        return slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)

    @cached_property
    def grid(self) -> tuple[Plane, Plane]:
        """x and y of every enlarged pixel, in the photograph's pixels (outer edges agree)."""
        x0, y0, x1, y1 = self.box
        x = x0 + (np.arange((x1 - x0) * SCALE, dtype=np.float32) + 0.5) / SCALE - 0.5
        y = y0 + (np.arange((y1 - y0) * SCALE, dtype=np.float32) + 0.5) / SCALE - 0.5
        gx, gy = np.meshgrid(x, y)
        return gx, gy


def _sampled(patch: NDArray[np.uint8], x: Plane, y: Plane) -> NDArray[np.uint8]:
    """The head patch read at photograph positions."""
    map_x = (x - (HEAD_BOX[0] - 0.5)) * SCALE - 0.5
    map_y = (y - (HEAD_BOX[1] - 0.5)) * SCALE - 0.5
    read = cv2.remap(patch, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read, np.uint8)


def _mixed(under: NDArray[np.uint8], over: NDArray[np.uint8], weight: Plane) -> NDArray[np.uint8]:
    mixed = under + weight[..., None] * (over.astype(np.float32) - under)
    return np.rint(mixed).astype(np.uint8)


def _jaw_weight(x: Plane, y: Plane) -> Plane:
    """1 from the lower lip to the chin; 0 above the mouth's corners and in the collar."""
    below = _smoothstep((y - CORNER_Y) / 9.0)
    above = 1.0 - _smoothstep((y - 176.0) / 22.0)
    reach = 12.0 + 14.0 * _smoothstep((y - 143.0) / 22.0)
    return below * above * np.exp(-0.5 * ((x - MOUTH_X) / reach) ** 2)


def _head_weight(x: Plane, y: Plane) -> Plane:
    """1 on the head, falling to 0 in the plain background and in the collar."""
    radius = np.hypot((x - 226.0) / 98.0, (y - 105.0) / 108.0)
    return 1.0 - _smoothstep((radius - 0.78) / 0.3)


class TalkingHead:
    """The photograph with its face in motion.

    Args:
        portrait: what `photograph()` gives.
    """

    def __init__(self, portrait: NDArray[np.uint8]) -> None:
        large = cv2.resize(portrait, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_LANCZOS4)
        soft = cv2.GaussianBlur(large, (0, 0), 1.6)
        self._picture = np.asarray(cv2.addWeighted(large, 1.7, soft, -0.7, 0.0), np.uint8)
        self._head, self._jaw = _Region(HEAD_BOX), _Region(JAW_BOX)
        self._eyes = [_Region(box) for box in EYE_BOXES]
        self._jaw_weight = _jaw_weight(*self._jaw.grid)
        x, y = self._head.grid
        head = _head_weight(x, y)
        self._sway_x = SWAY_PX * head * (NECK[1] - y) / 150.0
        self._sway_y = SWAY_PX * head * (x - NECK[0]) / 150.0
        self._nod_y = NOD_PX * head
        self._brow_y = -BROW_PX * sum(_bell(x, y, at, 17.0, 8.0) for at in BROWS)
        left, right = (
            _bell(x, y, (MOUTH_X + side * MOUTH_HALF_WIDTH, CORNER_Y), 11.0, 10.0)
            for side in (-1, 1)
        )
        self._spread_x = SPREAD_PX * (right - left)

    def at(self, actor: Performance, frame: int) -> NDArray[np.uint8]:
        """`(1024, 1024, 3)` uint8 RGB: the whole enlarged photograph at one frame."""
        picture = self._picture.copy()
        rows, columns = (slice(SCALE * HEAD_BOX[i], SCALE * HEAD_BOX[i + 2]) for i in (1, 0))
        patch = picture[rows, columns].copy()
        self._close_lids(patch, float(actor.blink[frame]))
        self._drop_jaw(patch, float(actor.opening[frame]))
        sway, nod, brow, spread = (
            np.float32(curve[frame]) for curve in (actor.sway, actor.nod, actor.brow, actor.spread)
        )
        x, y = self._head.grid
        from_x = x - sway * self._sway_x - spread * self._spread_x
        from_y = y - sway * self._sway_y - nod * self._nod_y - brow * self._brow_y
        picture[rows, columns] = _sampled(patch, from_x, from_y)
        return picture

    def _drop_jaw(self, patch: NDArray[np.uint8], opening: float) -> None:
        """Lowers the jaw; the teeth stay with the skull and the mouth is dark below them."""
        if opening == 0.0:
            return
        x, y = self._jaw.grid
        drop = np.float32(JAW_PX * opening) * self._jaw_weight
        lowered = _sampled(patch, x, y - drop)
        across = 1.0 - ((x - MOUTH_X) / MOUTH_HALF_WIDTH) ** 2
        upper, lower = CORNER_Y + UPPER_LIP * across, CORNER_Y + LOWER_LIP * across
        inside = np.clip(y - upper + 0.5, 0.0, 1.0) * np.clip(4.0 * across, 0.0, 1.0)
        mouth = inside * np.clip(lower + drop - y + 0.3, 0.0, 1.0)
        teeth = inside * np.clip(lower - y - 0.5, 0.0, 1.0)
        cavity = np.clip(mouth - teeth, 0.0, 1.0) * min(1.0, 4.0 * opening)
        shown = _mixed(lowered, patch[self._jaw.pixels], teeth)
        dark = np.broadcast_to(np.array(CAVITY_RGB, np.uint8), shown.shape)
        patch[self._jaw.pixels] = _mixed(shown, dark, cavity)

    def _close_lids(self, patch: NDArray[np.uint8], blink: float) -> None:
        """Draws the upper lids down over the eyes, stretching the skin below the brows."""
        if blink == 0.0:
            return
        for region, (eye_x, half_width, eye_y, up, down) in zip(self._eyes, EYES, strict=True):
            x, y = region.grid
            across = np.clip(1.0 - ((x - eye_x) / half_width) ** 2, 0.0, 1.0)
            top, travel = eye_y - up * across, np.float32(blink) * (up + down) * across
            stretch = np.clip((y - top + LID) / (LID + travel), 0.0, 1.0)
            lid = _sampled(patch, x, y - travel * stretch)
            covered = np.clip(top + travel + 1.5 - y, 0.0, 1.0)
            patch[region.pixels] = _mixed(patch[region.pixels], lid, covered)
