"""What engines are shown of HDR and log footage: a display picture; and the way back.

Trackers, estimators and diffusion models know BT.709 display pictures. Samples coded by PQ, HLG or
a camera's log curve are shown to them through a fixed, monotone map; what they change goes back
through its inverse *at that sample*, code(view + r) − code(view): a change of 0 is exactly 0 and
the plate keeps its range. In steps: code value → light in parts of reference white (of a log curve
that is a reflectance of .9) → BT.709 primaries → for a log curve the system gamma 1.2 of ITU-R
BT.2100 per channel → straight up to .6, then logarithmic to 1 at the most the code can hold →
sRGB's curve.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.views.gamuts import BT709, to_709
from pipeline.media.views.hdr import GAMMA, HLG, PQ, hlg_code, hlg_light, pq_code, pq_light
from pipeline.media.views.logs import LOGS, from_signal, to_signal

_KNEE = 0.6
_WHITE = 0.9
_STEPS = 65536
_Floats = NDArray[Any]
_Curve = Callable[[_Floats], _Floats]


class View(ABC):
    """A plate's code values as a display picture, and back."""

    def shown(self, code: NDArray[Any]) -> NDArray[Any]:
        """`(..., 3)` uint8 or uint16 R'G'B' code values, full range → the view, same dtype."""
        most = np.iinfo(code.dtype).max
        seen = np.clip(self._view(code.astype(np.float64) / most), 0.0, 1.0)
        return np.rint(seen * most).astype(code.dtype)

    def coded(self, code: NDArray[Any], residual: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a change of the view is as a change of code values; exactly 0 where it is 0.

        Args:
            code: `(h, w, 3)` uint8 or uint16, as given to `shown`.
            residual: `(h, w, 3)` of the view, 1.0 = from black to white.
        """
        changed = np.zeros(residual.shape, np.float32)
        where = residual.any(axis=-1)
        plain = code[where].astype(np.float64) / np.iinfo(code.dtype).max
        by = self._change(plain, residual[where].astype(np.float64))
        changed[where] = np.clip(plain + by, 0.0, 1.0) - plain
        return changed

    @abstractmethod
    def picture(self, code: NDArray[Any]) -> NDArray[np.uint8]:
        """`shown` for whole pictures, in 8 bits and fast: within a level or two."""

    @abstractmethod
    def _view(self, code: _Floats) -> _Floats:
        """`(..., 3)` float64 of 0…1 → the view; may lie beyond 0…1."""

    @abstractmethod
    def _change(self, code: _Floats, residual: _Floats) -> _Floats:
        """`(n, 3)` what to add to code values for a change of the view."""


@dataclass(frozen=True)
class LightView(View):
    """By light: a curve and a gamut.

    Attributes:
        light, code: code values of 0…1 ↔ parts of reference white, per channel; rising.
        gamut: the plate's primaries, of `gamuts.PRIMARIES`.
        gamma: from light, in BT.709 primaries, to what a display gives.
    """

    light: _Curve
    code: _Curve
    gamut: str = BT709
    gamma: float = 1.0

    def picture(self, code: NDArray[Any]) -> NDArray[np.uint8]:
        is_deep = code.dtype != np.uint8
        light = self._deep_table[code] if is_deep else cv2.LUT(code, self._light_table)
        if self.gamut != BT709:
            light = cv2.transform(light, to_709(self.gamut).astype(np.float32))
        root = np.sqrt(np.maximum(light, 0.0, dtype=np.float32)) * np.float32(
            (_STEPS - 1) / math.sqrt(self._most_light)
        )
        return self._seen_table[np.minimum(root, _STEPS - 1).astype(np.uint16)]

    def _view(self, code: _Floats) -> _Floats:
        light = self.light(code)
        return self._seen(light if self.gamut == BT709 else light @ to_709(self.gamut).T)

    def _change(self, code: _Floats, residual: _Floats) -> _Floats:
        seen = self._view(code)
        after = np.minimum(seen + residual, np.maximum(seen, 1.0))
        return self._back(after) - self._back(seen)

    @cached_property
    def _most_light(self) -> float:
        return float(self.light(np.ones(1))[0])

    @cached_property
    def _bend(self) -> float:
        """The scale of the logarithm that goes on from the knee with slope 1."""
        room, low, high = self._most_light**self.gamma - _KNEE, 1e-4, 10.0
        for _ in range(80):
            middle = (low + high) / 2
            is_short = middle * math.log1p(room / middle) < 1.0 - _KNEE
            low, high = (middle, high) if is_short else (low, middle)
        return low

    def _seen(self, light: _Floats) -> _Floats:
        shown = _power(light, self.gamma)
        beyond = np.log1p(np.maximum(shown - _KNEE, 0.0) / self._bend) * self._bend
        return _srgb(np.minimum(shown, _KNEE) + beyond)

    def _back(self, seen: _Floats) -> _Floats:
        toned = _from_srgb(seen)
        beyond = np.expm1(np.maximum(toned - _KNEE, 0.0) / self._bend) * self._bend
        light = _power(np.minimum(toned, _KNEE) + beyond, 1 / self.gamma)
        if self.gamut != BT709:
            light = light @ np.linalg.inv(to_709(self.gamut)).T
        return self.code(light)

    @cached_property
    def _light_table(self) -> NDArray[np.float32]:
        return self.light(np.arange(256) / 255).astype(np.float32)

    @cached_property
    def _deep_table(self) -> NDArray[np.float32]:
        return self.light(np.arange(65536) / 65535).astype(np.float32)

    @cached_property
    def _seen_table(self) -> NDArray[np.uint8]:
        light = (np.arange(_STEPS) / (_STEPS - 1)) ** 2 * self._most_light
        return np.rint(255 * np.clip(self._seen(light), 0.0, 1.0)).astype(np.uint8)


def hdr_view(transfer: int, gamut: str) -> LightView:
    """The view of PQ or HLG."""
    curves = {PQ: (pq_light, pq_code), HLG: (hlg_light, hlg_code)}[transfer]
    return LightView(*curves, gamut)


def log_view(name: str, *, full_range: bool) -> LightView:
    """The view of a camera's log curve.

    Args:
        name: of `logs.LOGS`.
        full_range: of the plate's samples.
    """
    log = LOGS[name]

    def light(code: _Floats) -> _Floats:
        return log.light(from_signal(code, log, full_range=full_range)) / _WHITE

    def code(light: _Floats) -> _Floats:
        return to_signal(log.code(light * _WHITE), log, full_range=full_range)

    return LightView(light, code, log.gamut, GAMMA)


def _power(light: _Floats, gamma: float) -> _Floats:
    return light if gamma == 1.0 else np.sign(light) * np.abs(light) ** gamma


def _srgb(light: _Floats) -> _Floats:
    size = np.abs(light)
    bent = 1.055 * size ** (1 / 2.4) - 0.055
    return np.sign(light) * np.where(size <= 0.0031308, 12.92 * size, bent)


def _from_srgb(seen: _Floats) -> _Floats:
    size = np.abs(seen)
    bent = ((size + 0.055) / 1.055) ** 2.4
    return np.sign(seen) * np.where(size <= 0.04045, size / 12.92, bent)
