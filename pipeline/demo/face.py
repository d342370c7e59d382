"""The demo's actor: a photograph, its smile taken back, whose jaw, lids, brows and head move.

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

from keyframes.curves.easing import smoothstep
from pipeline.demo.acting import Performance
from pipeline.errors import PipelineError

Plane = NDArray[np.floating[Any]]
Box = tuple[int, int, int, int]

SCALE = 2
"""The photograph is enlarged by this once, so that warping it costs no visible sharpness."""
FACE_CENTRE = (225.5, 132.0)
FACE_WIDTH = 89.3

REST_BOX: Box = (150, 78, 300, 208)
"""What at_rest.png replaces of the photograph, enlarged by SCALE; it fades in at its edge."""
HEAD_BOX: Box = (112, 0, 340, 240)
JAW_BOX: Box = (162, 136, 286, 204)
EYE_BOXES: tuple[Box, Box] = ((190, 84, 220, 110), (232, 86, 261, 112))
EYES = ((204.4, 9.6, 101.4, 3.9, 3.0), (246.0, 9.4, 103.6, 3.9, 2.9))  # x, half width, y, up, down
LID = 9.0  # skin between the lid's edge and the brow
BROWS = ((202.0, 87.0), (250.0, 89.5))
MOUTH_X, MOUTH_HALF_WIDTH, SEAM_Y = 224.1, 16.8, 145.0
TEETH_X, TEETH_HALF_WIDTH, TEETH_Y, TEETH_UP, TEETH_DOWN = 223.4, 19.0, 140.2, 2.8, 8.2
"""The teeth the photograph shows: middle, half width, height of the mouth's corners, and how far
upper and lower edge of the row hang below them."""
NECK = (226.0, 190.0)
CAVITY_RGB = (58, 20, 20)
JAW_PX, SPREAD_PX, BROW_PX, SWAY_PX, NOD_PX = 8.0, 2.0, 3.4, 4.5, 2.6


def photograph() -> NDArray[np.uint8]:
    """`(512, 512, 3)` uint8 RGB: the packaged portrait, decoded anew at each call."""
    return _packaged("astronaut.png")


def _packaged(name: str) -> NDArray[np.uint8]:
    content = (resources.files("pipeline.demo") / name).read_bytes()
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise PipelineError(f"pipeline/demo/{name} is damaged; reinstall aureel")
    return np.asarray(bgr[..., ::-1].copy(), np.uint8)


def enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """By SCALE, and as sharp as it was."""
    large = cv2.resize(picture, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_LANCZOS4)
    soft = cv2.GaussianBlur(large, (0, 0), 1.6)
    return np.asarray(cv2.addWeighted(large, 1.7, soft, -0.7, 0.0), np.uint8)


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
    def in_picture(self) -> tuple[slice, slice]:
        """Its pixels in the whole enlarged photograph."""
        x0, y0, x1, y1 = (SCALE * edge for edge in self.box)
        return slice(y0, y1), slice(x0, x1)

    @cached_property
    def grid(self) -> tuple[Plane, Plane]:
        """x and y of every enlarged pixel, in the photograph's pixels (outer edges agree)."""
        x0, y0, x1, y1 = self.box
        x = x0 + (np.arange((x1 - x0) * SCALE, dtype=np.float32) + 0.5) / SCALE - 0.5
        y = y0 + (np.arange((y1 - y0) * SCALE, dtype=np.float32) + 0.5) / SCALE - 0.5
        gx, gy = np.meshgrid(x, y)
        return gx, gy


def _at_rest(smiling: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The enlarged photograph with the packaged face at rest in its place."""
    quiet = _packaged("at_rest.png")
    height, width = quiet.shape[:2]
    ramp = [np.minimum(np.arange(n), np.arange(n)[::-1]) / 24.0 for n in (height, width)]
    share = smoothstep(np.minimum(ramp[0][:, None], ramp[1])).astype(np.float32)
    at_rest, place = smiling.copy(), _Region(REST_BOX).in_picture
    at_rest[place] = _mixed(smiling[place], quiet, share)
    return at_rest


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
    below = smoothstep((y - SEAM_Y + 1.0) / 5.0)
    above = 1.0 - smoothstep((y - 174.0) / 24.0)
    reach = 10.0 + 16.0 * smoothstep((y - 147.0) / 22.0)
    return below * above * np.exp(-0.5 * ((x - MOUTH_X) / reach) ** 2)


def _head_weight(x: Plane, y: Plane) -> Plane:
    """1 on the head, falling to 0 in the plain background and in the collar."""
    radius = np.hypot((x - 226.0) / 98.0, (y - 105.0) / 108.0)
    return 1.0 - smoothstep((radius - 0.78) / 0.3)


class TalkingHead:
    """The photograph with its face in motion.

    Args:
        portrait: what `photograph()` gives.
    """

    def __init__(self, portrait: NDArray[np.uint8]) -> None:
        smiling = enlarged(portrait)
        self._picture = _at_rest(smiling)
        self._teeth = smiling[_Region(JAW_BOX).in_picture].copy()
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
            _bell(x, y, (MOUTH_X + side * MOUTH_HALF_WIDTH, SEAM_Y), 11.0, 10.0) for side in (-1, 1)
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
        """Lowers the jaw; the photograph's teeth stay with the skull, and it is dark below them."""
        if opening == 0.0:
            return
        x, y = self._jaw.grid
        across = np.clip(1.0 - ((x - MOUTH_X) / MOUTH_HALF_WIDTH) ** 2, 0.0, 1.0)
        gap = np.float32(JAW_PX * opening) * across**0.7
        lowered = np.maximum(np.float32(JAW_PX * opening) * self._jaw_weight, 0.0)
        lip = 1.0 - smoothstep((y - SEAM_Y - gap) / 12.0)  # it goes with the gap, the chin as one
        drop = np.where(y > SEAM_Y, gap * lip + lowered * (1.0 - lip), 0.0).astype(np.float32)
        shown = _sampled(patch, x, y - drop)
        mouth = np.clip(y - SEAM_Y + 0.5, 0.0, 1.0) * np.clip(SEAM_Y + gap - y + 0.5, 0.0, 1.0)
        mouth *= np.clip(3.0 * gap, 0.0, 1.0)
        patch[self._jaw.pixels] = _mixed(shown, self._inside(x, y), mouth)

    def _inside(self, x: Plane, y: Plane) -> NDArray[np.uint8]:
        """The mouth's inside, `(h, w, 3)`: the row of teeth hangs from the seam of the lips."""
        hang = 1.0 - ((x - MOUTH_X) / TEETH_HALF_WIDTH) ** 2
        from_y = TEETH_Y + (TEETH_UP + 0.6) * hang + (y - SEAM_Y)
        from_x = TEETH_X + (x - MOUTH_X)
        left, top = JAW_BOX[0] - 0.5, JAW_BOX[1] - 0.5
        at_x, at_y = ((v - o) * SCALE - 0.5 for v, o in ((from_x, left), (from_y, top)))
        where = at_x.astype(np.float32), at_y.astype(np.float32)
        teeth = cv2.remap(self._teeth, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        edge = np.clip((TEETH_Y + TEETH_DOWN * hang - from_y) / 1.2, 0.0, 1.0)
        shade = np.clip(1.15 - 0.5 * np.abs(x - MOUTH_X) / MOUTH_HALF_WIDTH, 0.0, 1.0)
        dark = np.broadcast_to(np.array(CAVITY_RGB, np.uint8), teeth.shape)
        return _mixed(dark, np.asarray(teeth, np.uint8), edge * shade * 0.92)

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
