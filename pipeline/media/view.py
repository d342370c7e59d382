"""What engines are shown of HDR footage: a display picture; and the way back into its code values.

Trackers, estimators and diffusion models know BT.709 display pictures. Samples coded by PQ or HLG
are shown to them through a fixed, monotone map; what they change goes back through its inverse *at
that sample*, code(view + r) − code(view): a change of 0 is exactly 0 and the plate keeps its
range. In steps: code value → light (ITU-R BT.2100; HLG's system gamma 1.2 per channel) in parts of
reference white (203 cd/m², BT.2408) → BT.709 primaries where the plate has BT.2020's → straight up
to .6, then logarithmic to 1 at the most the code can hold → sRGB's curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.info import VideoInfo

PQ, HLG = 16, 18
"""Transfer codes of ITU-T H.273."""
_BT2020 = 9
_WHITE_NITS = 203.0
_KNEE = 0.6
_709_FROM_2020 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
_M1, _M2 = 2610 / 16384, 2523 / 32
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128
_A = 0.17883277
_B, _C = 1 - 4 * _A, 0.5 - _A * math.log(4 * _A)
_GAMMA = 1.2
_STEPS = 65536
_Floats = NDArray[Any]


@dataclass(frozen=True)
class View:
    """A plate's code values as a display picture, and back.

    Attributes:
        transfer: PQ or HLG.
        is_wide: its primaries are BT.2020's.
    """

    transfer: int
    is_wide: bool

    def shown(self, code: NDArray[Any]) -> NDArray[Any]:
        """`(..., 3)` uint8 or uint16 R'G'B' code values, full range → the view, same dtype."""
        most = np.iinfo(code.dtype).max
        seen = np.clip(self._view(code.astype(np.float64) / most), 0.0, 1.0)
        return np.rint(seen * most).astype(code.dtype)

    def picture(self, code: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same for whole pictures of 8 bits: through tables, within a level or two."""
        light = cv2.LUT(code, self._light_table)
        if self.is_wide:
            light = cv2.transform(light, _709_FROM_2020.astype(np.float32))
        root = np.sqrt(np.maximum(light, 0.0, dtype=np.float32)) * np.float32(
            (_STEPS - 1) / math.sqrt(self._most)
        )
        return self._seen_table[np.minimum(root, _STEPS - 1).astype(np.uint16)]

    def coded(self, code: NDArray[Any], residual: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a change of the view is as a change of code values; exactly 0 where it is 0.

        Args:
            code: `(h, w, 3)` uint8 or uint16, as given to `shown`.
            residual: `(h, w, 3)` of the view, 1.0 = from black to white.
        """
        changed = np.zeros(residual.shape, np.float32)
        where = residual.any(axis=-1)
        plain = code[where].astype(np.float64) / np.iinfo(code.dtype).max
        seen = self._view(plain)
        after = self._code(np.minimum(seen + residual[where], 1.0))
        changed[where] = np.clip(plain + (after - self._code(seen)), 0.0, 1.0) - plain
        return changed

    @property
    def _most(self) -> float:
        return 10000.0 / _WHITE_NITS if self.transfer == PQ else float(_hlg_light(np.ones(1))[0])

    @cached_property
    def _bend(self) -> float:
        """The scale of the logarithm that goes on from the knee with slope 1."""
        room, low, high = self._most - _KNEE, 1e-4, 10.0
        for _ in range(80):
            middle = (low + high) / 2
            is_short = middle * math.log1p(room / middle) < 1.0 - _KNEE
            low, high = (middle, high) if is_short else (low, middle)
        return low

    def _view(self, code: _Floats) -> _Floats:
        light = _pq_light(code) if self.transfer == PQ else _hlg_light(code)
        return self._seen(light @ _709_FROM_2020.T if self.is_wide else light)

    def _seen(self, light: _Floats) -> _Floats:
        beyond = np.log1p(np.maximum(light - _KNEE, 0.0) / self._bend) * self._bend
        return _srgb(np.minimum(light, _KNEE) + beyond)

    def _code(self, seen: _Floats) -> _Floats:
        toned = _from_srgb(seen)
        beyond = np.expm1(np.maximum(toned - _KNEE, 0.0) / self._bend) * self._bend
        light = np.minimum(toned, _KNEE) + beyond
        if self.is_wide:
            light = light @ np.linalg.inv(_709_FROM_2020).T
        return _pq_code(light) if self.transfer == PQ else _hlg_code(light)

    @cached_property
    def _light_table(self) -> NDArray[np.float32]:
        levels = np.arange(256) / 255
        light = _pq_light(levels) if self.transfer == PQ else _hlg_light(levels)
        return light.astype(np.float32)

    @cached_property
    def _seen_table(self) -> NDArray[np.uint8]:
        light = (np.arange(_STEPS) / (_STEPS - 1)) ** 2 * self._most
        return np.rint(255 * np.clip(self._seen(light), 0.0, 1.0)).astype(np.uint8)


def view_of(info: VideoInfo) -> View | None:
    """The view of a plate that is tagged PQ or HLG; None: it is a display picture already."""
    colour = info.colour
    if colour.transfer not in (PQ, HLG):
        return None
    return View(colour.transfer, colour.primaries == _BT2020)


def _pq_light(code: _Floats) -> _Floats:
    root = np.maximum(code, 0.0) ** (1 / _M2)
    nits = 10000.0 * (np.maximum(root - _C1, 0.0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return nits / _WHITE_NITS


def _pq_code(light: _Floats) -> _Floats:
    power = (np.maximum(light, 0.0) * (_WHITE_NITS / 10000.0)) ** _M1
    return ((_C1 + _C2 * power) / (1.0 + _C3 * power)) ** _M2


def _hlg_scene(code: _Floats) -> _Floats:
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - _C) / _A) + _B) / 12)


_HLG_WHITE = float(_hlg_scene(np.array([0.75]))[0])


def _hlg_light(code: _Floats) -> _Floats:
    return (_hlg_scene(np.maximum(code, 0.0)) / _HLG_WHITE) ** _GAMMA


def _hlg_code(light: _Floats) -> _Floats:
    scene = np.maximum(light, 0.0) ** (1 / _GAMMA) * _HLG_WHITE
    high = _A * np.log(np.maximum(12 * scene - _B, 1e-9)) + _C
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


def _srgb(light: _Floats) -> _Floats:
    size = np.abs(light)
    bent = 1.055 * size ** (1 / 2.4) - 0.055
    return np.sign(light) * np.where(size <= 0.0031308, 12.92 * size, bent)


def _from_srgb(seen: _Floats) -> _Floats:
    size = np.abs(seen)
    bent = ((size + 0.055) / 1.055) ** 2.4
    return np.sign(seen) * np.where(size <= 0.04045, size / 12.92, bent)
