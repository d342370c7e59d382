"""SMPTE timecode, drop-frame and not.

Source: SMPTE ST 12-1: drop-frame counting leaves out the first two frame numbers (four at 59.94)
of every minute that is not a multiple of ten. The `timecode` package counts the same way but
takes labels that do not exist (`00:01:00;00`, frame 30 at 25 fps) for others; here they are errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from keyframes.errors import KeyframeError

_LABEL = re.compile(r"(\d{2})([:;])(\d{2})\2(\d{2})([:;])(\d{2,3})")


def allows_drop_frame(frame_rate: Fraction) -> bool:
    """Drop-frame labels exist at 29.97, 59.94 and 119.88 frames per second only."""
    nominal = round(frame_rate)
    return nominal % 30 == 0 and abs(float(frame_rate) * 1.001 / nominal - 1) < 1e-4


@dataclass(frozen=True)
class Timecode:
    """One label of a frame; which frame it is depends on the frame rate."""

    hours: int
    minutes: int
    seconds: int
    frames: int
    drop_frame: bool

    def __post_init__(self) -> None:
        if self.hours > 23 or self.minutes > 59 or self.seconds > 59:
            raise KeyframeError(
                f"timecode {self} does not exist; known: 00:00:00:00 to 23:59:59:FF"
            )
        if self._dropped(2):
            raise KeyframeError(
                f"timecode {self} does not exist in drop-frame: minutes other than every tenth "
                f"start at ;02 (;04 at 59.94)"
            )

    def __str__(self) -> str:
        separator = ";" if self.drop_frame else ":"
        clock = f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}"
        return f"{clock}{separator}{self.frames:02}"

    def _dropped(self, count: int) -> bool:
        at_minute = self.seconds == 0 and self.minutes % 10 != 0
        return self.drop_frame and at_minute and self.frames < count

    def frame_number(self, frame_rate: Fraction) -> int:
        """Frames since 00:00:00:00.

        Raises:
            KeyframeError: the label does not exist at this rate.
        """
        nominal = round(frame_rate)
        if self.frames >= nominal:
            raise KeyframeError(
                f"timecode {self} does not exist at {float(frame_rate):g} fps; "
                f"known frame numbers: 00 to {nominal - 1:02}"
            )
        minutes = self.hours * 60 + self.minutes
        number = (minutes * 60 + self.seconds) * nominal + self.frames
        if not self.drop_frame:
            return number
        if not allows_drop_frame(frame_rate):
            raise KeyframeError(
                f"drop-frame timecode {self} at {float(frame_rate):g} fps; "
                "drop-frame exists at 29.97, 59.94 and 119.88 fps, write : instead of ;"
            )
        dropped = nominal // 15
        if self._dropped(dropped):
            raise KeyframeError(
                f"timecode {self} does not exist in drop-frame at {float(frame_rate):g} fps"
            )
        return number - dropped * (minutes - minutes // 10)


def parse_timecode(text: str) -> Timecode:
    """A timecode from `HH:MM:SS:FF`, or `HH:MM:SS;FF` for drop-frame.

    Raises:
        KeyframeError: not a timecode, or one that exists at no rate.
    """
    match = _LABEL.fullmatch(text)
    if match is None:
        raise KeyframeError(
            f"timecode {text!r}; expected HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame"
        )
    hours, _, minutes, seconds, separator, frames = match.groups()
    return Timecode(int(hours), int(minutes), int(seconds), int(frames), separator == ";")


def seconds_between(start: Timecode, label: Timecode, frame_rate: Fraction) -> float:
    """Seconds from one label to another; a label over twelve hours back is past midnight.

    Raises:
        KeyframeError: one of them does not exist at this rate.
    """
    frames = label.frame_number(frame_rate) - start.frame_number(frame_rate)
    day = frames_per_day(frame_rate, drop_frame=start.drop_frame)
    return float((frames + day if frames < -day / 2 else frames) / frame_rate)


def frames_per_day(frame_rate: Fraction, *, drop_frame: bool = False) -> int:
    """How many frames have labels of their own, before they start again at 00:00:00:00."""
    nominal = round(frame_rate)
    return 24 * (3600 * nominal - (54 * (nominal // 15) if drop_frame else 0))


def timecode_at(frame_number: int, frame_rate: Fraction, *, drop_frame: bool = False) -> Timecode:
    """The label of a frame counted from 00:00:00:00; the inverse of `frame_number`."""
    nominal = round(frame_rate)
    if drop_frame:
        dropped = nominal // 15
        per_ten_minutes = 600 * nominal - 9 * dropped
        tens, rest = divmod(frame_number, per_ten_minutes)
        minute = max(0, (rest - dropped) // (60 * nominal - dropped))
        frame_number += dropped * (9 * tens + minute)
    seconds, frames = divmod(frame_number, nominal)
    minutes, seconds = divmod(seconds, 60)
    return Timecode(minutes // 60 % 24, minutes % 60, seconds, frames, drop_frame)
