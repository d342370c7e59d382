"""Whether values are on the scale their format has, and what to do where they are not.

Tables come as shares (0–1), intensities (0–5), percentages (0–100), presences (0 or 1), and a
hundred times too large out of a spreadsheet that took a decimal point for a thousands separator.
What is certain is put right and said; what could be two things is refused, with the way out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keyframes.au import INTENSITY_MAX
from keyframes.errors import KeyframeError

Array = NDArray[np.float64]

_STRAY = 0.02
"""Of the measured values; fewer beyond the scale are outliers, not another scale."""
_OVER = 1.2
"""Estimators overshoot their scale a little."""
_WEAK = 1.0


def as_intensities(
    values: Array, top: float, asked: float | None, source: str
) -> tuple[Array, list[str]]:
    """Values of any scale as intensities 0…5, and what was done to them.

    Args:
        values: `(M, 12)`, NaN where not measured.
        top: of the format's scale, 1 or 5.
        asked: the top that a person named, which ends all guessing.
        source: the file and its format, for people.

    Raises:
        KeyframeError: values beyond the scale that could be two others.
    """
    notes: list[str] = []
    if asked is None:
        found = recognised_top(values, top, source)
        if found != top:
            notes.append(
                f"{source}: values to {_peak(values):g}, beyond its scale (0 to {top:g}); "
                f"read as 0 to {found:g}; say scale: {top:g} to hold them instead"
            )
        else:
            notes += _odd_but_possible(values, top, source)
    else:
        found = asked
    scaled = values * (INTENSITY_MAX / found)
    outside = int(((scaled < 0) | (scaled > INTENSITY_MAX)).sum())
    if outside:
        notes.append(f"{source}: values outside 0 to {found:g}, held to that range: {outside}")
    return np.clip(scaled, 0.0, INTENSITY_MAX), notes


def recognised_top(values: Array, top: float, source: str) -> float:
    """The top of the scale values are on: the format's, or another that fits alone.

    Raises:
        KeyframeError: beyond the format's scale, and two others fit.
    """
    known = values[np.isfinite(values) & (values != 0)]
    beyond = known > top * _OVER
    if beyond.sum() <= _STRAY * len(known):
        return top
    peak = float(known.max())
    hundredfold = 100 * top
    if top < INTENSITY_MAX and peak <= INTENSITY_MAX * _OVER:
        return INTENSITY_MAX
    if top < INTENSITY_MAX and peak <= hundredfold * _OVER:
        return hundredfold
    if 100 * _OVER < peak <= hundredfold * _OVER:
        return hundredfold
    if top == INTENSITY_MAX and peak <= 100 * _OVER:
        raise KeyframeError(
            f"{source}: values to {peak:g}, beyond its scale (0 to {top:g}): percentages, or "
            f"a hundred times too large; say scale: 100 or scale: {hundredfold:g}"
        )
    raise KeyframeError(
        f"{source}: values to {peak:g}, beyond its scale (0 to {top:g}); say scale, the value "
        "that stands for full intensity"
    )


def _odd_but_possible(values: Array, top: float, source: str) -> list[str]:
    known = values[np.isfinite(values)]
    if len(known) == 0 or not known.any():
        return []
    if np.isin(known, (0.0, 1.0)).all():
        return [
            f"{source}: nothing but 0 and 1, which says whether an AU is there, not how strongly; "
            f"1 is read as intensity {INTENSITY_MAX / top:g}"
        ]
    if top == INTENSITY_MAX and known.max() <= _WEAK and len(known) > 1:
        return [
            f"{source}: no value above {known.max():g} on a scale of 0 to {top:g}; "
            "if 1 is full intensity there, say scale: 1"
        ]
    return []


def _peak(values: Array) -> float:
    return float(np.nanmax(values))
