"""The timecode labels of a table's rows, and the true time that passes between them.

Labels count whole frames, `HH:MM:SS:FF` and thousandths of a frame after a point. A label of
29.97 or 23.976 lasts 1.001 times as long as its number says, drop-frame labels leave numbers out,
and after midnight they start again. All of it follows from the rate; where no rate is given, the
labels themselves show how many there are to a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from keyframes.clock.rates import STANDARD_RATES
from keyframes.clock.smpte import Timecode, allows_drop_frame, frames_per_day, seconds_between
from keyframes.errors import KeyframeError

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_WHOLE_RATES = tuple(int(rate) for rate in STANDARD_RATES if rate.denominator == 1)
_DAY_S = 24 * 60 * 60


@dataclass(frozen=True)
class RowLabels:
    """Labels of a table's rows, `(M,)` each.

    Attributes:
        seconds: hours, minutes and seconds as seconds, 0…86399.
        frames: frame number within the second.
        parts: the rest of a frame, 0…1.
        drop_frame: a label is written with `;`.
    """

    seconds: Ints
    frames: Ints
    parts: Array
    drop_frame: bool


@dataclass(frozen=True)
class FirstLabel:
    """What a table's second 0 is called: a label, the rest of a frame, and the labels' rate."""

    label: Timecode
    part: float
    rate: Fraction

    def seconds_after(self, start: Timecode, rate: Fraction) -> float:
        """True seconds from a clip's first label to this one; clocks that agree are assumed.

        Raises:
            KeyframeError: a label that does not exist at its rate.
        """
        part = self.part / float(self.rate)
        if rate == self.rate and start.drop_frame == self.label.drop_frame:
            return seconds_between(start, self.label, rate) + part
        apart = _clock_s(self.label, self.rate) - _clock_s(start, rate)
        return apart + part + (_DAY_S if apart < -_DAY_S / 2 else 0)


def _clock_s(label: Timecode, rate: Fraction) -> float:
    """Time of day as it is read off a label."""
    whole = label.hours * 3600 + label.minutes * 60 + label.seconds
    return whole + label.frames / round(rate)


@dataclass(frozen=True)
class LabelClock:
    """How a table's labels count.

    Attributes:
        rate: labels per true second.
        drop_frame: two labels a minute (four at 59.94) are left out, but every tenth minute.
        is_sure: False where the labels would read the same at another rate.
    """

    rate: Fraction
    drop_frame: bool
    is_sure: bool = True

    def times_s(self, labels: RowLabels) -> Array:
        """`(M,)` true seconds since the first row, past midnight too."""
        frames = self.frame_numbers(labels) + labels.parts
        day = frames_per_day(self.rate, drop_frame=self.drop_frame)
        midnights = np.cumsum(np.diff(frames, prepend=frames[0]) < -day / 2)
        frames += midnights * day
        return (frames - frames[0]) * (self.rate.denominator / self.rate.numerator)

    def frame_numbers(self, labels: RowLabels) -> Array:
        """`(M,)` frames since 00:00:00:00."""
        nominal = round(self.rate)
        numbers = (labels.seconds * nominal + labels.frames).astype(np.float64)
        if self.drop_frame:
            minutes = labels.seconds // 60
            numbers -= (nominal // 15) * (minutes - minutes // 10)
        return numbers


def label_clock(labels: RowLabels, rate: Fraction | None) -> LabelClock:
    """How labels count, at a given rate or by themselves.

    Raises:
        KeyframeError: labels that do not exist at the given rate; too few to show their rate.
    """
    nominal = _labels_per_second(labels)
    if rate is None:
        if nominal is None:
            raise KeyframeError(
                f"its {len(labels.frames)} rows do not show how many frames a second has; "
                "say fps, the rate of its timecode (60 in Live Link Face unless changed there)"
            )
        drop_frame = _drops(labels, nominal)
        if drop_frame:
            return LabelClock(Fraction(nominal * 1000, 1001), drop_frame=True)
        return LabelClock(Fraction(nominal), drop_frame=False, is_sure=nominal in (25, 50, 100))
    if int(labels.frames.max()) >= round(rate) or (nominal or round(rate)) != round(rate):
        shown = f"{nominal or int(labels.frames.max()) + 1}"
        raise KeyframeError(
            f"fps {float(rate):g} does not fit its timecode, which counts {shown} frames a second; "
            "fps is the rate of the labels"
        )
    drop_frame = allows_drop_frame(rate) and _drops(labels, round(rate))
    return LabelClock(rate, drop_frame)


def _labels_per_second(labels: RowLabels) -> int | None:
    """The whole rate that keeps the step even from one second to the next; None if none ends."""
    most = int(labels.frames.max())
    known = [rate for rate in _WHOLE_RATES if rate > most] or [most + 1]
    position = labels.frames + labels.parts
    turns = np.diff(labels.seconds)
    crossing, inside = (turns == 1) | (turns == 1 - _DAY_S), turns == 0
    if not crossing.any():
        return None
    if not inside.any():
        return known[0] if most > 0 else None
    usual = float(np.median(np.diff(position)[inside]))
    across = np.diff(position)[crossing]
    return min(known, key=lambda rate: abs(float(np.median(across + rate)) - usual))


def _drops(labels: RowLabels, nominal: int) -> bool:
    """Whether the labels of a rate leave numbers out at full minutes."""
    if nominal % 30:
        return False
    dropped = nominal // 15
    at_minute = (labels.seconds % 60 == 0) & (labels.seconds // 60 % 10 != 0)
    if (at_minute & (labels.frames < dropped)).any():
        return False
    turns = np.flatnonzero(np.diff(labels.seconds // 60) == 1)
    turns = turns[labels.seconds[turns + 1] // 60 % 10 != 0]
    if len(turns) == 0:
        return labels.drop_frame
    clock = LabelClock(Fraction(nominal), drop_frame=False)
    steps = np.diff(clock.frame_numbers(labels) + labels.parts)
    usual = float(np.median(steps))
    return float(np.median(steps[turns])) - usual > dropped / 2
