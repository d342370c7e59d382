"""What a layer may be made of: keyed channels, or a pose with onset, apex and offset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from keyframes.clock.instant import END, ZERO, Instant
from keyframes.clock.timeline import Timeline
from keyframes.curves.channel import Channel, resolved_key
from keyframes.curves.easing import Shape, ease

Array = NDArray[np.float64]

_HALF_A_SECOND = Instant(seconds=0.5)


@dataclass(frozen=True)
class Sample:
    """One AU of a source at `(N,)` times.

    Attributes:
        au: AU number.
        values: `(N,)` in the unit of the mode.
        presence: `(N,)` 0…1, how far the source speaks at all; None for fully.
        mode: the channel's own mode; None for its layer's.
    """

    au: int
    values: Array
    presence: Array | None = None
    mode: str | None = None


class Source(Protocol):
    """Gives values over time for some AUs."""

    def samples(self, timeline: Timeline, times_s: Array) -> Iterator[Sample]:
        """The source's AUs at `(N,)` seconds, one at a time.

        Raises:
            KeyframeError: it does not fit this clip, with the place.
        """
        ...

    def warnings(self, timeline: Timeline) -> list[str]:
        """What a person should know about it on this clip."""
        ...

    def last_key_s(self, timeline: Timeline) -> float:
        """When the source has said all it has to say."""
        ...

    def resolved(self) -> dict[str, Any]:
        """The source in plain values, as the report shows it."""
        ...


@dataclass(frozen=True)
class Keyed:
    """Channels with keys; `modes` holds those that differ from the layer's."""

    channels: Mapping[int, Channel]
    modes: Mapping[int, str]

    def samples(self, timeline: Timeline, times_s: Array) -> Iterator[Sample]:
        for au, channel in self.channels.items():
            yield Sample(au, channel.at(timeline, times_s), mode=self.modes.get(au))

    def warnings(self, timeline: Timeline) -> list[str]:
        found: list[str] = []
        for au, channel in self.channels.items():
            times = channel.key_times_s(timeline)
            for what, count in (
                ("after its end", int((times > timeline.duration_s + 1e-6).sum())),
                ("before its start", int((times < -1e-6).sum())),
            ):
                if count:
                    found.append(
                        f"AU{au}: {count} of {len(times)} keys lie {what} "
                        f"(clip to {timeline.duration_s:g} s, keys {times[0]:g} to {times[-1]:g} s)"
                    )
        return found

    def last_key_s(self, timeline: Timeline) -> float:
        ends = [channel.key_times_s(timeline)[-1] for channel in self.channels.values()]
        return float(max(ends))

    def resolved(self) -> dict[str, Any]:
        channels: dict[str, Any] = {}
        for au, channel in self.channels.items():
            entry: dict[str, Any] = {"keys": [resolved_key(key) for key in channel.keys]}
            if au in self.modes:
                entry["mode"] = self.modes[au]
            for side in ("before", "after"):
                if getattr(channel, side) != "hold":
                    entry[side] = getattr(channel, side)
            if channel.continuous:
                entry["auto_smoothing"] = "continuous"
            if channel.smoothing is not None:
                entry["smooth"] = channel.smoothing.resolved()
            channels[f"AU{au}"] = entry
        return {"channels": channels}


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
    """

    pose: Mapping[int, float]
    start: Instant = ZERO
    onset: Instant = _HALF_A_SECOND
    apex: Instant | None = None
    offset: Instant = _HALF_A_SECOND
    end: Instant = END
    ease: str = "sine"
    notes: tuple[str, ...] = ()

    def times_s(self, timeline: Timeline) -> tuple[float, float, float, float]:
        """Start, begin and end of the apex, and end; never decreasing."""
        start = self.start.at(timeline)
        onset, offset = self.onset.at(timeline), self.offset.at(timeline)
        if self.apex is not None:
            apex = start + onset + self.apex.at(timeline)
            return start, start + onset, apex, apex + offset
        room = max(0.0, self.end.at(timeline) - start)
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

    def warnings(self, timeline: Timeline) -> list[str]:
        start = self.start.at(timeline)
        found = list(self.notes)
        if start >= timeline.duration_s:
            found.append(
                f"a pose starts at {start:g} s, after the clip ({timeline.duration_s:g} s)"
            )
        return found

    def last_key_s(self, timeline: Timeline) -> float:
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
