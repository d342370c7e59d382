"""The clip's own clock, as curves see it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keyframes.errors import KeyframeError


class ClipClock(NamedTuple):
    """What of a clip decides where times lie: not its frames."""

    duration_s: float
    frame_rate: Fraction
    start_timecode: str | None


@dataclass(frozen=True, eq=False)
class Timeline:
    """Presentation times of a clip's frames; curves are evaluated at these and at nothing else.

    Attributes:
        times_s: `(N,)` float64, seconds on the clip's clock (0 = the container's start, what a
            player shows), strictly increasing, one per frame; need not be evenly spaced.
        duration_s: length of the clip in seconds; `100%` of a percentage time.
        frame_rate: nominal frames per second, for times given as frames or timecode.
        start_timecode: SMPTE timecode of the first frame, where the clip carries one.
    """

    times_s: NDArray[np.float64]
    duration_s: float
    frame_rate: Fraction
    start_timecode: str | None = None

    @property
    def clock(self) -> ClipClock:
        """All but the frames."""
        return ClipClock(self.duration_s, self.frame_rate, self.start_timecode)

    @cached_property
    def _token(self) -> bytes:
        return hashlib.blake2b(self.times_s.tobytes(), digest_size=16).digest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timeline):
            return NotImplemented
        return self is other or (self.clock, self._token) == (other.clock, other._token)

    def __hash__(self) -> int:
        return hash((self.clock, self._token))

    def __post_init__(self) -> None:
        times = self.times_s
        if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise KeyframeError("timeline: times must be finite and strictly increasing seconds")
        if not self.duration_s > 0 or self.frame_rate <= 0:
            raise KeyframeError(
                f"timeline: got duration {self.duration_s} s at {self.frame_rate} fps; "
                "expected both above 0"
            )


def even_timeline(
    duration_s: float, frame_rate: Fraction, start_timecode: str | None = None
) -> Timeline:
    """The timeline of a clip with evenly spaced frames from second 0.

    Raises:
        KeyframeError: a length or rate that is not above 0, or more frames than a day holds.
    """
    if not 0 < duration_s <= 24 * 3600 or not 0 < frame_rate <= 1000:
        raise KeyframeError(
            f"timeline: got {duration_s:g} s at {float(frame_rate):g} fps; "
            "expected up to 24 h at up to 1000 fps"
        )
    count = max(1, math.ceil(duration_s * float(frame_rate) - 1e-6))
    times = np.arange(count, dtype=np.float64) * frame_rate.denominator / frame_rate.numerator
    return Timeline(times, duration_s, frame_rate, start_timecode)
