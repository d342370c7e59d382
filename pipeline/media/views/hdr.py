"""PQ and HLG: code value ↔ light in parts of reference white (203 cd/m², ITU-R BT.2408).

Source of the formulas: ITU-R BT.2100; HLG's system gamma of 1.2 is taken per channel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

PQ, HLG = 16, 18
"""Transfer codes of ITU-T H.273."""
WHITE_NITS = 203.0
_M1, _M2 = 2610 / 16384, 2523 / 32
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128
_A = 0.17883277
_B, _C = 1 - 4 * _A, 0.5 - _A * math.log(4 * _A)
GAMMA = 1.2
_Floats = NDArray[Any]


def pq_light(code: _Floats) -> _Floats:
    """Code values of 0…1 → light."""
    root = np.maximum(code, 0.0) ** (1 / _M2)
    nits = 10000.0 * (np.maximum(root - _C1, 0.0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return nits / WHITE_NITS


def pq_code(light: _Floats) -> _Floats:
    """Light → code values."""
    power = (np.maximum(light, 0.0) * (WHITE_NITS / 10000.0)) ** _M1
    return ((_C1 + _C2 * power) / (1.0 + _C3 * power)) ** _M2


def _hlg_scene(code: _Floats) -> _Floats:
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - _C) / _A) + _B) / 12)


_HLG_WHITE = float(_hlg_scene(np.array([0.75]))[0])


def hlg_light(code: _Floats) -> _Floats:
    """Code values of 0…1 → light."""
    return (_hlg_scene(np.maximum(code, 0.0)) / _HLG_WHITE) ** GAMMA


def hlg_code(light: _Floats) -> _Floats:
    """Light → code values."""
    scene = np.maximum(light, 0.0) ** (1 / GAMMA) * _HLG_WHITE
    high = _A * np.log(np.maximum(12 * scene - _B, 1e-9)) + _C
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
