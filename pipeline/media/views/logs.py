"""Cameras' log curves: code value ↔ light of the scene, 0.18 = a grey card.

A code value is 0…1 over the nominal range, as R'G'B' come out of the matrix; where a maker's
formula speaks of ten-bit codes of the signal (code / 1023, black at 64), it is asked for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]


@dataclass(frozen=True)
class Log:
    """A camera's curve and its primaries.

    Attributes:
        light, code: formula values → light, and back; elementwise, rising.
        gamut: of `gamuts.PRIMARIES`.
        counts_signal: formula values are ten-bit codes of the signal over 1023.
    """

    light: Callable[[Floats], Floats]
    code: Callable[[Floats], Floats]
    gamut: str
    counts_signal: bool


@dataclass(frozen=True)
class _Usual:
    """scale · log10(gain · light + offset) + lift from `cut` on; slope · light + start below."""

    scale: float
    gain: float
    offset: float
    lift: float
    cut: float
    slope: float
    start: float

    def code(self, light: Floats) -> Floats:
        bent = self.scale * np.log10(self.gain * np.maximum(light, self.cut) + self.offset)
        return np.where(light >= self.cut, bent + self.lift, self.slope * light + self.start)

    def light(self, code: Floats) -> Floats:
        bent = (10 ** ((code - self.lift) / self.scale) - self.offset) / self.gain
        cut = self.slope * self.cut + self.start
        return np.where(code >= cut, bent, (code - self.start) / self.slope)


def _log(gamut: str, curve: _Usual, *, counts_signal: bool) -> Log:
    return Log(curve.light, curve.code, gamut, counts_signal)


def _logc4() -> _Usual:
    """ARRI LogC4 Curve and Color Space, 2022: base 2, its cut where the code is 0."""
    gain, room, black = (2**18 - 16) / 117.45, (1023 - 95) / 1023, 95 / 1023
    scale = room / 14
    slope_inverse = 7 * np.log(2) * 2 ** (7 - 14 * black / room) / (gain * room)
    cut = (2 ** (-14 * black / room + 6) - 64) / gain
    start, per_decade = -cut / slope_inverse, scale / np.log10(2)
    lift = black - 6 * scale
    return _Usual(per_decade, gain, 64.0, lift, cut, 1 / slope_inverse, start)


def _canon(light: Floats, scale: float, gain: float, lift: float) -> Floats:
    light = light / 0.9
    return lift + np.sign(light) * scale * np.log10(1 + gain * np.abs(light))


def _canon_light(code: Floats, scale: float, gain: float, lift: float) -> Floats:
    away = code - lift
    return 0.9 * np.sign(away) * (10 ** (np.abs(away) / scale) - 1) / gain


_CLOG2 = 0.24136077, 87.099375, 0.092864125
_CLOG3 = 0.36726845, 14.98325


def _clog3_code(light: Floats) -> Floats:
    middle = 1.9754798 * light / 0.9 + 0.12512219
    high, low = (_canon(light, *_CLOG3, lift) for lift in (0.12240537, 0.12783901))
    return np.where(np.abs(light) <= 0.014 * 0.9, middle, np.where(light > 0, high, low))


def _clog3_light(code: Floats) -> Floats:
    middle = 0.9 * (code - 0.12512219) / 1.9754798
    high, low = (_canon_light(code, *_CLOG3, lift) for lift in (0.12240537, 0.12783901))
    return np.where(code < 0.097465473, low, np.where(code <= 0.15277891, middle, high))


def _nlog_code(light: Floats) -> Floats:
    low = 650 * np.cbrt(light + 0.0075)
    return np.where(light < 0.328, low, 150 * np.log(np.maximum(light, 0.328)) + 619) / 1023


def _nlog_light(code: Floats) -> Floats:
    codes = code * 1023
    return np.where(codes < 452, (codes / 650) ** 3 - 0.0075, np.exp((codes - 619) / 150))


_APPLE_FOOT, _APPLE_CUT, _APPLE_SCALE = -0.05641088, 0.01, 47.28711236


def _apple_code(light: Floats) -> Floats:
    foot = _APPLE_SCALE * (np.maximum(light, _APPLE_FOOT) - _APPLE_FOOT) ** 2
    high = 0.08550479 * np.log2(np.maximum(light, _APPLE_CUT) + 0.00964052) + 0.69336945
    return np.where(light < _APPLE_CUT, foot, high)


def _apple_light(code: Floats) -> Floats:
    cut = _APPLE_SCALE * (_APPLE_CUT - _APPLE_FOOT) ** 2
    foot = np.sqrt(np.maximum(code, 0.0) / _APPLE_SCALE) + _APPLE_FOOT
    return np.where(code < cut, foot, 2 ** ((code - 0.69336945) / 0.08550479) - 0.00964052)


_SLOG3 = _Usual(261.5 / 1023, 1 / 0.19, 0.01 / 0.19, 420 / 1023, 0.01125,
                (171.2102946929 - 95) / 0.01125 / 1023, 95 / 1023)  # fmt: skip
_LOG3G10 = _Usual(0.224282, 155.975327, 1 + 0.01 * 155.975327, 0.0, -0.01, 15.1927, 0.151927)

LOGS: dict[str, Log] = {
    "slog3": _log("s-gamut3.cine", _SLOG3, counts_signal=True),
    "slog3-sgamut3": _log("s-gamut3", _SLOG3, counts_signal=True),
    "logc3": _log(
        "arri wide gamut 3",
        _Usual(0.247190, 5.555556, 0.052272, 0.385537, 0.010591, 5.367655, 0.092809),
        counts_signal=False,
    ),
    "logc4": _log("arri wide gamut 4", _logc4(), counts_signal=False),
    "vlog": _log(
        "v-gamut",
        _Usual(0.241514, 1.0, 0.00873, 0.598206, 0.01, 5.6, 0.125),
        counts_signal=True,
    ),
    "clog2": Log(
        lambda code: _canon_light(code, *_CLOG2),
        lambda light: _canon(light, *_CLOG2),
        "cinema gamut",
        counts_signal=True,
    ),
    "clog3": Log(_clog3_light, _clog3_code, "cinema gamut", counts_signal=True),
    "log3g10": _log("redwidegamutrgb", _LOG3G10, counts_signal=False),
    "flog2": _log(
        "bt2020",
        _Usual(0.245281, 5.555556, 0.064829, 0.384316, 0.000889, 8.799461, 0.092864),
        counts_signal=True,
    ),
    "nlog": Log(_nlog_light, _nlog_code, "bt2020", counts_signal=True),
    "applelog": Log(_apple_light, _apple_code, "bt2020", counts_signal=False),
}
"""By the name a call gives. Sources: Sony, Technical Summary for S-Gamut3.Cine/S-Log3 and
S-Gamut3/S-Log3; ARRI, ALEXA Log C Curve (EI 800) and LogC4 Curve and Color Space; Panasonic,
V-Log/V-Gamut Reference Manual; Canon, Canon Log Gamma Curves, v1.2; RED, REDWideGamutRGB and
Log3G10 (915-0187); Fujifilm, F-Log2 Data Sheet; Nikon, N-Log Specification; Apple, Apple Log
Profile White Paper."""

_BLACK, _ROOM = 64 / 1023, 876 / 1023


def from_signal(code: Floats, log: Log, *, full_range: bool) -> Floats:
    """Code values over the nominal range → what the log's formula speaks of."""
    return _BLACK + _ROOM * code if log.counts_signal and not full_range else code


def to_signal(value: Floats, log: Log, *, full_range: bool) -> Floats:
    """The way back of `from_signal`."""
    return (value - _BLACK) / _ROOM if log.counts_signal and not full_range else value
