"""Times as people write them, resolved to seconds on a clip's clock.

Seconds (`1.5`, `1.5s`, `400ms`), frames (`12f`), shares of the clip (`50%`), `start`, `end`, sums
of these (`end-0.5s`, `50%+6f`), and SMPTE timecode. Frames count at the nominal rate from the
clip's start, so that a piece of a clip gives the same times as the whole.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from keyframes.clock.smpte import Timecode, looks_like_timecode, parse_timecode, seconds_between
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError

_TERM = re.compile(r"\s*([+-]?)\s*(?:(start|end)|(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|f|%)?)\s*")
_KNOWN = "1.5, 1.5s, 400ms, 12f, 25%, start, end-0.5s, 01:00:02:12, 01:00:02;12"
_MIDNIGHT = Timecode(0, 0, 0, 0, False)


@dataclass(frozen=True)
class Instant:
    """A time or a length of time that may depend on the clip: the sum of its parts.

    Attributes:
        seconds: plain seconds.
        frames: frames at the clip's nominal rate.
        share: of the clip's duration, 0…1 (`end` is 1).
        timecode: a label, counted from the clip's own first one; then all else is 0.
    """

    seconds: float = 0.0
    frames: float = 0.0
    share: float = 0.0
    timecode: Timecode | None = None

    def at(self, timeline: Timeline) -> float:
        """Seconds on the clip's clock.

        Raises:
            KeyframeError: a timecode that does not exist at the clip's rate.
        """
        if self.timecode is not None:
            return self._timecode_seconds(self.timecode, timeline)
        of_frames = self.frames / float(timeline.frame_rate) if self.frames else 0.0
        return self.seconds + of_frames + self.share * timeline.duration_s

    @staticmethod
    def _timecode_seconds(label: Timecode, timeline: Timeline) -> float:
        start = _MIDNIGHT
        if timeline.start_timecode is not None:
            start = parse_timecode(timeline.start_timecode)
        return seconds_between(start, label, timeline.frame_rate)

    def __str__(self) -> str:
        if self.timecode is not None:
            return str(self.timecode)
        parts = ((self.share * 100, "%"), (self.frames, "f"), (self.seconds, "s"))
        written = "".join(f"{value:+.10g}{unit}" for value, unit in parts if value)
        return written.removeprefix("+") or "0s"

    def is_after(self, other: Instant) -> bool | None:
        """Whether this is the later one on every clip; None where it depends on the clip."""
        if (self.timecode is None) != (other.timecode is None):
            return None
        if self.timecode is not None and other.timecode is not None:
            return _order(self.timecode) > _order(other.timecode)
        steps = (
            self.seconds - other.seconds,
            self.frames - other.frames,
            self.share - other.share,
        )
        if all(step <= 0 for step in steps):
            return False
        return True if all(step >= 0 for step in steps) else None


ZERO = Instant()
END = Instant(share=1.0)


def _order(label: Timecode) -> tuple[int, int, int, int]:
    return (label.hours, label.minutes, label.seconds, label.frames)


def parse_instant(value: str | float) -> Instant:
    """A point in time, from a number of seconds or a text.

    Raises:
        KeyframeError: not a time; the message names the known forms.
    """
    if not isinstance(value, str):
        if not math.isfinite(value):
            raise KeyframeError(f"time {value}; expected a finite number of seconds")
        return Instant(seconds=float(value))
    text = value.strip()
    if looks_like_timecode(text):
        return Instant(timecode=parse_timecode(text))
    parts = {"s": 0.0, "f": 0.0, "%": 0.0}
    position = 0
    while match := _TERM.match(text, position):
        sign, anchor, number, unit = match.groups()
        if (position > 0 and not sign) or match.end() == position:
            break
        amount = -1.0 if sign == "-" else 1.0
        if anchor is not None:
            amount, unit = amount * (100.0 if anchor == "end" else 0.0), "%"
        else:
            amount *= float(number)
        if unit == "ms":
            amount, unit = amount / 1000, "s"
        parts[unit or "s"] += amount
        position = match.end()
    if position == 0 or position < len(text):
        raise KeyframeError(f"time {value!r} is not understood; known: {_KNOWN}")
    return Instant(parts["s"], parts["f"], parts["%"] / 100)


def parse_duration(value: str | float) -> Instant:
    """A length of time: seconds, frames or a share of the clip, not negative.

    Raises:
        KeyframeError: not a length of time.
    """
    found = parse_instant(value)
    if found.timecode is not None:
        raise KeyframeError(f"length {value!r} is a timecode; known: 1.5s, 400ms, 12f, 5%")
    if min(found.seconds, found.frames, found.share) < 0:
        raise KeyframeError(f"length {value!r} is negative; known: 1.5s, 400ms, 12f, 5%")
    return found
