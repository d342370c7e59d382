"""Times as people write them, resolved to seconds on a clip's clock.

Seconds (`1.5`, `1.5s`, `400ms`), frames (`12f`, `12frames`), minutes (`2min`), shares of the clip
(`50%`), `start`, `end`, a clock (`00:00:01.500`, `1:02.5`), SMPTE timecode, and sums of these
(`end-0.5s`, `50%+6f`, `01:00:05:00+40f`). Frames count at the nominal rate from the clip's start,
so that a piece of a clip gives the same times as the whole.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from keyframes.clock.smpte import Timecode, parse_timecode, seconds_between
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError

_UNITS = {
    "ms": ("s", 1e-3), "msec": ("s", 1e-3), "millisecond": ("s", 1e-3),
    "s": ("s", 1.0), "sec": ("s", 1.0), "second": ("s", 1.0),
    "min": ("s", 60.0), "minute": ("s", 60.0),
    "f": ("f", 1.0), "fr": ("f", 1.0), "frame": ("f", 1.0),
    "%": ("%", 1.0),
}  # fmt: skip
_PLAIN = re.compile(r"(\d+(?:\.\d*)?)([sf]?)")
_WORDS = "|".join(sorted((unit for unit in _UNITS if unit != "%"), key=len, reverse=True))
_TERM = re.compile(
    r"\s*([+-]?)\s*(?:(start|end)|(\d+(?:\.\d*)?|\.\d+)\s*(?:(" + _WORDS + r")s?|(%))?)"
    r"(?![A-Za-z%.\d])\s*"
)
_CLOCK = re.compile(r"\s*(?:(\d{1,2}):)?(\d{1,2}):(\d{2})[.,](\d+)\s*(?=$|[+-])")
_LABEL = re.compile(r"\s*(\d{2}:\d{2}:\d{2}:\d{2,3}|\d{2};\d{2};\d{2};\d{2,3}|"
                    r"\d{2}:\d{2}:\d{2};\d{2,3})\s*(?=$|[+-])")  # fmt: skip
_KNOWN = (
    "1.5, 1.5s, 400ms, 12f, 25%, start, end-0.5s, 00:00:01.500, 01:00:02:12, 01:00:02;12, "
    "01:00:02:12+6f"
)
_MIDNIGHT = Timecode(0, 0, 0, 0, False)


@dataclass(frozen=True)
class Instant:
    """A time or a length of time that may depend on the clip: the sum of its parts.

    Attributes:
        seconds: plain seconds.
        frames: frames at the clip's nominal rate.
        share: of the clip's duration, 0…1 (`end` is 1).
        timecode: a label, counted from the clip's own first one; the rest is added to it.
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
        of_frames = self.frames / float(timeline.frame_rate) if self.frames else 0.0
        added = self.seconds + of_frames + self.share * timeline.duration_s
        if self.timecode is None:
            return added
        return self._timecode_seconds(self.timecode, timeline) + added

    @staticmethod
    def _timecode_seconds(label: Timecode, timeline: Timeline) -> float:
        start = _MIDNIGHT
        if timeline.start_timecode is not None:
            start = parse_timecode(timeline.start_timecode)
        return seconds_between(start, label, timeline.frame_rate)

    def __str__(self) -> str:
        parts = ((self.share * 100, "%"), (self.frames, "f"), (self.seconds, "s"))
        written = "".join(f"{value:+.10g}{unit}" for value, unit in parts if value)
        if self.timecode is not None:
            return f"{self.timecode}{written}"
        return written.removeprefix("+") or "0s"

    def is_after(self, other: Instant) -> bool | None:
        """Whether this is the later one on every clip; None where it depends on the clip."""
        if (self.timecode is None) != (other.timecode is None):
            return None
        steps = (
            self.seconds - other.seconds,
            self.frames - other.frames,
            self.share - other.share,
        )
        if self.timecode != other.timecode:
            if any(steps) or self.timecode is None or other.timecode is None:
                return None
            return _order(self.timecode) > _order(other.timecode)
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
    if plain := _PLAIN.fullmatch(text):
        amount = float(plain[1])
        return Instant(frames=amount) if plain[2] == "f" else Instant(seconds=amount)
    label, clock = _LABEL.match(text), _CLOCK.match(text)
    parts = {"s": 0.0, "f": 0.0, "%": 0.0}
    position, timecode = 0, None
    if label is not None:
        timecode, position = parse_timecode(label[1]), label.end()
    elif clock is not None:
        parts["s"], position = _clock_seconds(clock), clock.end()
    while match := _TERM.match(text, position):
        sign, anchor, number, unit, percent = match.groups()
        if (position > 0 and not sign) or match.end() == position:
            break
        amount = -1.0 if sign == "-" else 1.0
        if anchor is not None:
            parts["%"] += amount * (100.0 if anchor == "end" else 0.0)
        else:
            part, factor = _UNITS[percent or unit or "s"]
            parts[part] += amount * float(number) * factor
        position = match.end()
    if position == 0 or position < len(text):
        raise KeyframeError(f"time {value!r} is not understood; known: {_KNOWN}")
    return Instant(parts["s"], parts["f"], parts["%"] / 100, timecode)


def _clock_seconds(clock: re.Match[str]) -> float:
    """`HH:MM:SS.mmm` or `MM:SS.mmm`: time since the clip's start, not a label."""
    hours, minutes, seconds, rest = clock.groups()
    if int(seconds) > 59 or (hours is not None and int(minutes) > 59):
        raise KeyframeError(f"time {clock[0].strip()!r} does not exist; known: {_KNOWN}")
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(f"{seconds}.{rest}")


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
