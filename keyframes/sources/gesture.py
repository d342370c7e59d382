"""A pose with onset, apex and offset as the source of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AUCode
from keyframes.clock.instant import END, ZERO, Instant
from keyframes.clock.spans import NEVER, Spans
from keyframes.clock.timeline import Timeline
from keyframes.curves.easing import Shape, ease
from keyframes.errors import KeyframeError
from keyframes.problems import Place
from keyframes.sources.source import RESTS, Sample

Array = NDArray[np.float64]

_HALF_A_SECOND = Instant(seconds=0.5)
_A_MOMENT = 1e-6


@dataclass(frozen=True)
class Gesture:
    """A pose that comes, stays and goes; the FACS words are onset, apex and offset.

    The pose blends in over what is there, so in absolute and scale mode it starts from what the
    actor does. Without an apex length it stays until `end`. A clip too short for onset and offset
    gets both shortened alike, so that one file fits every clip.

    Attributes:
        pose: AU number to value, in the unit of the layer's mode.
        start: when the onset begins.
        onset: length of the rise.
        apex: length of the stay; None for as long as there is room.
        offset: length of the fall.
        end: when the offset ends, if `apex` is None.
        ease: interpolation family of rise and fall, eased in and out.
        notes: what its preset cannot do.
        place: where its times stand in a file.
    """

    pose: Mapping[AUCode, float]
    start: Instant = ZERO
    onset: Instant = _HALF_A_SECOND
    apex: Instant | None = None
    offset: Instant = _HALF_A_SECOND
    end: Instant = END
    ease: str = "sine"
    notes: tuple[str, ...] = ()
    place: Place | None = field(default=None, compare=False)

    def times_s(self, timeline: Timeline) -> tuple[float, float, float, float]:
        """Start, begin and end of the apex, and end; never decreasing.

        Raises:
            KeyframeError: on this clip it ends before it starts, with the place.
        """
        start = self.start.at(timeline)
        onset, offset = self.onset.at(timeline), self.offset.at(timeline)
        if self.apex is not None:
            apex = start + onset + self.apex.at(timeline)
            return start, start + onset, apex, apex + offset
        end = self.end.at(timeline)
        if end < start and self.end != END:
            where = f"{self.place}: " if self.place else ""
            raise KeyframeError(
                f"{where}end {self.end} is {end:g} s on this clip ({timeline.duration_s:g} s), "
                f"before start {self.start} ({start:g} s)"
            )
        room = max(0.0, end - start)
        squeeze = min(1.0, room / (onset + offset)) if onset + offset else 1.0
        return start, start + onset * squeeze, start + room - offset * squeeze, start + room

    def envelope(self, timeline: Timeline, times_s: Array) -> Array:
        """`(N,)` 0…1: how far the pose is in."""
        start, apex, fall, end = self.times_s(timeline)
        rise = self._eased((times_s - start) / (apex - start) if apex > start else times_s >= start)
        drop = self._eased((end - times_s) / (end - fall) if end > fall else times_s <= end)
        return rise * drop

    def _eased(self, share: NDArray[Any]) -> Array:
        u = np.clip(share.astype(np.float64), 0.0, 1.0)
        if self.ease == "linear":
            return u
        one, zero = np.ones_like(u), np.zeros_like(u)
        return ease(self.ease, "ease_in_out", u, Shape(one, one, zero, zero, zero))

    def samples(self, timeline: Timeline, times_s: Array) -> Iterator[Sample]:
        presence = self.envelope(timeline, times_s)
        for au, value in self.pose.items():
            yield Sample(au, np.full(len(times_s), value), presence)

    def reach(self, timeline: Timeline, mode: str) -> Spans:
        start, _, _, end = self.times_s(timeline)
        asks = any(value != RESTS.get(mode) for value in self.pose.values())
        return ((start, end),) if asks and start <= end else NEVER

    def warnings(self, timeline: Timeline) -> list[str]:
        where = f"{self.place}: " if self.place else ""
        length = f"(the clip has {timeline.duration_s:g} s)"
        start, _, fall, end = self.times_s(timeline)
        found = list(self.notes)
        if start >= timeline.duration_s:
            found.append(f"{where}a pose starts at {start:g} s, after the clip {length}")
        elif self.apex is not None and fall > timeline.duration_s + _A_MOMENT:
            found.append(f"{where}an apex runs to {fall:g} s, past the end {length}")
        elif end > timeline.duration_s + _A_MOMENT:
            found.append(f"{where}an offset runs to {end:g} s, past the end {length}")
        return found

    def instants(self) -> Iterator[Instant]:
        yield from (self.start, self.end)

    def last_key_s(self, timeline: Timeline) -> float:
        if self.apex is None and self.end != END:
            return max(self.start.at(timeline), self.end.at(timeline))
        return self.times_s(timeline)[-1]

    def resolved(self) -> dict[str, Any]:
        return {
            "pose": {f"AU{au}": value for au, value in self.pose.items()},
            "start": str(self.start),
            "onset": str(self.onset),
            "apex": None if self.apex is None else str(self.apex),
            "offset": str(self.offset),
            "end": str(self.end),
            "ease": self.ease,
        }
