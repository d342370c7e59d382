"""A part of a clip, as people name it: `12s..15s`, `1:02.5 to end`, `25%..50%`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from keyframes.clock.instant import Instant, parse_instant
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError

_BETWEEN = re.compile(r"\s*\.\.\s*|\s+to\s+")
_UNWIELDY = re.compile(r"[^0-9A-Za-z.+-]")
SLACK_S = 1e-6
"""Times of frames are fractions: a third of a second is no decimal."""


@dataclass(frozen=True)
class Part:
    """What is shown from `start` until just before `end`."""

    start: Instant
    end: Instant
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def label(self) -> str:
        """The same in a file's name: `12s-15s`."""
        told = "-".join(_BETWEEN.split(self.text)).replace(":", ".").replace(";", ".")
        return _UNWIELDY.sub("", told.replace("%", "pc"))

    def frames(self, timeline: Timeline) -> tuple[int, int]:
        """First and last frame (inclusive) of a clip's that are shown in it; as far as the clip
        goes.

        Raises:
            KeyframeError: there are none.
        """
        start, end = self.start.at(timeline), self.end.at(timeline)
        ends = np.array([start - SLACK_S, end - SLACK_S])
        first, after = np.searchsorted(timeline.times_s, ends).tolist()
        if start < -SLACK_S or start >= timeline.duration_s:
            raise KeyframeError(
                f"part {self} begins at {start:.3f} s, outside the clip, which goes from 0 to "
                f"{timeline.duration_s:.3f} s"
            )
        if first >= after:
            raise KeyframeError(
                f"part {self} holds no frame: it goes from {start:.3f} to {end:.3f} s of "
                f"{timeline.duration_s:.3f} s"
            )
        return first, after - 1

    def beyond(self, timeline: Timeline) -> str:
        """What a person should know of a part that ends after its clip; else nothing."""
        end = self.end.at(timeline)
        if end <= timeline.duration_s + SLACK_S:
            return ""
        return f"part {self}: the clip ends at {timeline.duration_s:.3f} s already"


def parse_part(text: str) -> Part:
    """A part from two times as curve files write them, with `..` or ` to ` between them.

    Raises:
        KeyframeError: not two times, or the second is not after the first.
    """
    ends = _BETWEEN.split(text.strip())
    if len(ends) != 2:
        raise KeyframeError(f"part {text!r}; expected two times as 12s..15s")
    start, end = (parse_instant(end) for end in ends)
    if end.is_after(start) is False:
        raise KeyframeError(f"part {text!r} ends before it begins; expected it as 12s..15s")
    return Part(start, end, text.strip())
