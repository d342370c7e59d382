"""Keyed channels as the source of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AUCode
from keyframes.clock.instant import Instant
from keyframes.clock.spans import ALWAYS, Spans, union
from keyframes.clock.timeline import Timeline
from keyframes.curves.channel import Channel, resolved_key
from keyframes.sources.source import RESTS, Sample

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Keyed:
    """Channels with keys; `modes` holds those that differ from the layer's."""

    channels: Mapping[AUCode, Channel]
    modes: Mapping[AUCode, str]

    def samples(self, timeline: Timeline, times_s: Array) -> Iterator[Sample]:
        for au, channel in self.channels.items():
            yield Sample(au, channel.at(timeline, times_s), mode=self.modes.get(au))

    def reach(self, timeline: Timeline, mode: str) -> Spans:
        found: list[tuple[float, float]] = []
        for au, channel in self.channels.items():
            rest = RESTS.get(self.modes.get(au) or mode)
            found += ALWAYS if rest is None else channel.departs(timeline, rest)
        return union(found)

    def warnings(self, timeline: Timeline) -> list[str]:
        found: list[str] = []
        for au, channel in self.channels.items():
            times = channel.curve(timeline).times_s
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

    def instants(self) -> Iterator[Instant]:
        for channel in self.channels.values():
            yield from (key.time for key in channel.keys)

    def last_key_s(self, timeline: Timeline) -> float:
        ends = [channel.curve(timeline).times_s[-1] for channel in self.channels.values()]
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
