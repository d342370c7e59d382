"""When rows happen, in tables whose time column can have many names and units."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from keyframes.errors import KeyframeError

Array = NDArray[np.float64]

_SECONDS = {"times": 1.0, "seconds": 1.0, "sec": 1.0, "secs": 1.0, "timeseconds": 1.0,
            "timesec": 1.0, "timestamps": 1.0, "timeinseconds": 1.0}  # fmt: skip
_MILLI = {"timems", "timestampms", "ms", "milliseconds", "timeinms", "frametimeinms",
          "timestampmilliseconds", "timemsec"}  # fmt: skip
_MICRO = {"timeus", "timestampus", "microseconds", "us"}
_NANO = {"timens", "timestampns", "nanoseconds", "ns"}
_OPEN = ("time", "timestamp", "t", "timecode", "ts", "elapsed", "elapsedtime")
"""Names that leave the unit open: seconds, unless rows would be seconds apart."""
_FRAMES = ("frame", "frames", "framenumber", "frameidx", "frameindex", "frameid", "framecount",
           "index", "frameno")  # fmt: skip
_EPOCH_S = 1e7
"""Later than that is a date, counted from 1970 or a machine's start; such rows start at 0."""


@dataclass(frozen=True)
class TimeColumn:
    """A column that says when rows happen.

    Attributes:
        name: as the table has it.
        unit: seconds per 1 of it; None leaves it to the values.
        is_frames: it counts frames.
    """

    name: str
    unit: float | None = None
    is_frames: bool = False


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def time_column(names: Iterable[str]) -> TimeColumn | None:
    """The column that tells time best: a unit in its name, else a time, else frames."""
    known = {_plain(name): name for name in names}
    for words, unit in (
        (_SECONDS, 1.0), (_MILLI, 1e-3), (_MICRO, 1e-6), (_NANO, 1e-9),
    ):  # fmt: skip
        for word in words:
            if word in known:
                return TimeColumn(known[word], unit)
    for word in _OPEN:
        if word in known:
            return TimeColumn(known[word])
    for word in _FRAMES:
        if word in known:
            return TimeColumn(known[word], is_frames=True)
    return None


def row_times(
    values: Array, column: TimeColumn, rate: Fraction | None, source: str
) -> tuple[Array, list[str]]:
    """`(M,)` seconds of rows, and what was taken for granted.

    Raises:
        KeyframeError: frames are counted and no rate was given.
    """
    if column.is_frames:
        if rate is None:
            raise KeyframeError(f"{source}: {column.name!r} counts frames; say fps of its video")
        return values * (rate.denominator / rate.numerator), []
    unit, notes = column.unit, list[str]()
    if unit is None:
        unit = _guessed_unit(values)
        if unit != 1.0:
            word = {1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds"}[unit]
            notes.append(f"{source}: {column.name!r} read as {word}")
    first = float(values[np.isfinite(values)][:1].sum()) * unit
    if abs(first) < _EPOCH_S:
        return values * unit, notes
    notes.append(f"{source}: {column.name!r} counts from a date; its first row is second 0")
    start = values[np.isfinite(values)][0]
    return (values - start) * unit, notes


def _guessed_unit(values: Array) -> float:
    """Rows of a performance are 1 ms to 2 s apart."""
    known = values[np.isfinite(values)]
    step = float(np.median(np.diff(known))) if len(known) > 1 else 0.0
    for unit in (1.0, 1e-3, 1e-6):
        if step * unit <= 2.0:
            return unit
    return 1e-9
