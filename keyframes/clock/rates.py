"""Frame rates: as people write them, and as the times of a table's rows show them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from keyframes.errors import KeyframeError

_WHOLE = (24, 25, 30, 48, 50, 60, 100, 120, 240)
_NTSC = (24, 30, 48, 60, 120)
STANDARD_RATES: tuple[Fraction, ...] = tuple(
    sorted([*map(Fraction, _WHOLE), *(Fraction(rate * 1000, 1001) for rate in _NTSC)])
)
"""Rates that cameras and phones record at, frames per second."""
_HIGHEST = 1000
_SAME = 2e-4
"""Relative; 23.98 is meant for 24000/1001, and 24 is five times as far away."""


def parse_frame_rate(text: str) -> Fraction:
    """A rate from `25`, `30000/1001` or `29.97` (which is short for 30000/1001).

    Raises:
        KeyframeError: not a rate above 0 and up to 1000.
    """
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        raise KeyframeError(f"frame rate {text!r}; known: 25, 30000/1001, 29.97") from None
    if not 0 < rate <= _HIGHEST:
        raise KeyframeError(f"frame rate {text!r}; expected above 0 and up to {_HIGHEST}")
    if "/" in text or rate.denominator == 1:
        return rate
    ntsc = Fraction(max(1, round(rate)) * 1000, 1001)
    return ntsc if abs(rate / ntsc - 1) < _SAME else rate


def rate_text(rate: Fraction) -> str:
    """A rate as `parse_frame_rate` takes it: `25`, `29.97`, `30000/1001` where that is longer."""
    short = f"{float(rate):.5g}"
    return short if parse_frame_rate(short) == rate else f"{rate.numerator}/{rate.denominator}"


def rate_of_times(times_s: NDArray[np.float64]) -> Fraction:
    """Frames per second of rows that come about evenly, gaps left out of the count.

    The mean step, so that times in whole milliseconds do not bend the rate, snapped to a standard
    rate where it is as close as such times can tell.

    Args:
        times_s: `(M,)`, strictly increasing; a single row counts as 25 per second.
    """
    steps = np.diff(times_s)
    if len(steps) == 0:
        return Fraction(25)
    usual = float(np.median(steps))
    even = steps[steps < 1.5 * usual]
    span = float(even.sum())
    rate = min(len(even) / span, float(_HIGHEST))
    nearest = min(STANDARD_RATES, key=lambda known: abs(rate / float(known) - 1))
    if abs(rate / float(nearest) - 1) < _SAME + _quantum(times_s) / span:
        return nearest
    return Fraction(rate).limit_denominator(1001)


def _quantum(times_s: NDArray[np.float64]) -> float:
    """The last decimal that is written: a millisecond, or a microsecond and less."""
    thousandths = times_s * 1000
    return 1e-3 if np.abs(thousandths - np.round(thousandths)).max() < 1e-6 else 1e-6


def label_rate(rate: Fraction) -> Fraction:
    """The rate at which timecode labels count frames of this rate.

    Labels exist at standard rates; rows of 12.5 per second are every other frame at 25. Any time
    can be told at any label rate, by thousandths of its frames.
    """
    if rate in STANDARD_RATES:
        return rate
    multiples = [known for known in STANDARD_RATES if (known / rate).denominator == 1]
    return multiples[0] if multiples else Fraction(60)
