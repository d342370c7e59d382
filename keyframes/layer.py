"""A layer: a source, what its numbers mean, and how it combines with the layers below.

With m the measured intensity, d what the layers below ask for, v the layer's value and w its
weight at a frame, the picture so far is p = m + d, and

    delta       d + w·v                 p changes by v
    absolute    d + w·(v − p)           p becomes v
    scale       d + w·(v − 1)·p         p is multiplied by v
    neutralise  d − w·v·p               p loses the share v

`override` puts the layer in the place of those below it: p is m, and d is faded out by w. Where m
is not known (no face was measured) all modes but delta ask for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.au import CODE_COLUMNS
from keyframes.clock.instant import END, ZERO, Instant
from keyframes.clock.spans import ALWAYS, NEVER, Spans, overlap
from keyframes.clock.timeline import Timeline
from keyframes.curves.channel import Channel, resolved_key
from keyframes.errors import KeyframeError
from keyframes.problems import Place
from keyframes.sources.source import Sample, Source

Array = NDArray[np.float64]

MODES: tuple[str, ...] = ("delta", "absolute", "scale", "neutralise")
BLENDS: tuple[str, ...] = ("add", "override", "scale", "neutralise")


@dataclass(frozen=True)
class SoftRange:
    """A part of the clip with soft ends: full inside, 0 outside, cosine fades within."""

    start: Instant = ZERO
    end: Instant = END
    fade_in: Instant = ZERO
    fade_out: Instant = ZERO

    def at(self, timeline: Timeline, times_s: Array) -> Array:
        """`(N,)` 0…1.

        Raises:
            KeyframeError: the end is not after the start on this clip.
        """
        start, end = self.ends_s(timeline)
        fades = [self.fade_in.at(timeline), self.fade_out.at(timeline)]
        squeeze = min(1.0, (end - start) / sum(fades)) if sum(fades) else 1.0
        weight = ((times_s >= start) & (times_s <= end)).astype(np.float64)
        for fade, distance in zip(fades, (times_s - start, end - times_s), strict=True):
            if fade:
                share = np.clip(distance / (fade * squeeze), 0.0, 1.0)
                weight *= (1 - np.cos(np.pi * share)) / 2
        return weight

    def ends_s(self, timeline: Timeline) -> tuple[float, float]:
        """First and last second.

        Raises:
            KeyframeError: the end is not after the start on this clip.
        """
        start, end = self.start.at(timeline), self.end.at(timeline)
        if end <= start:
            raise KeyframeError(
                f"range {self.start} to {self.end} is {start:g} s to {end:g} s on this clip; "
                "expected the end after the start"
            )
        return start, end

    def resolved(self) -> dict[str, Any]:
        """Plain values for the report."""
        return {
            "range": [str(self.start), str(self.end)],
            "fade": [str(self.fade_in), str(self.fade_out)],
        }


@dataclass(frozen=True)
class Layer:
    """One layer of a sheet.

    Attributes:
        source: what it is made of.
        place: where it stands in its file.
        name: for people.
        mode: one of MODES.
        blend: `add` or `override` (`scale` and `neutralise` in a file are modes that add).
        weight: 0…1, fixed or keyed.
        span: when it speaks; None for always.
        faces: whom it is for: tracks, 0 the largest, and names of people; None for every face.
    """

    source: Source
    place: Place
    name: str = ""
    mode: str = "delta"
    blend: str = "add"
    weight: float | Channel = 1.0
    span: SoftRange | None = None
    faces: tuple[int | str, ...] | None = (0,)

    def addresses(self, face: int | str) -> bool:
        """Whether the layer is for this face, a track or a name."""
        return self.faces is None or face in self.faces

    def presence(
        self, face: int | str, known: Mapping[str, NDArray[np.bool_]]
    ) -> NDArray[np.bool_] | None:
        """`(N,)` the frames in which it is for this face; None if in none.

        Args:
            known: who the face is: name → `(N,)`, in which frames.
        """
        if self.addresses(face):
            return np.ones(1, bool)
        masks = [mask for name, mask in known.items() if name in (self.faces or ())]
        return np.logical_or.reduce(masks) if masks else None

    def instants(self) -> Iterator[Instant]:
        """The times it is written in."""
        yield from self.source.instants()
        if isinstance(self.weight, Channel):
            yield from (key.time for key in self.weight.keys)
        if self.span is not None:
            yield from (self.span.start, self.span.end)

    def weights(self, timeline: Timeline) -> Array:
        """`(N,)` 0…1 at the clip's frames.

        Raises:
            KeyframeError: its range or keys do not fit this clip, with the place.
        """
        times = timeline.times_s
        if isinstance(self.weight, Channel):
            weight = np.clip(self.weight.at(timeline, times), 0.0, 1.0)
        else:
            weight = np.full(len(times), self.weight)
        if self.span is None:
            return weight
        try:
            return weight * self.span.at(timeline, times)
        except KeyframeError as error:
            raise KeyframeError(f"{self.place}: {error}") from None

    def reach(self, timeline: Timeline) -> Spans:
        """When it may ask for anything on a clip, whatever is measured there; never too little.

        Raises:
            KeyframeError: its range or keys do not fit this clip, with the place.
        """
        if isinstance(self.weight, Channel):
            weighs = self.weight.departs(timeline, 0.0)
        else:
            weighs = ALWAYS if self.weight else NEVER
        if self.span is not None:
            try:
                weighs = overlap(weighs, (self.span.ends_s(timeline),))
            except KeyframeError as error:
                raise KeyframeError(f"{self.place}: {error}") from None
        return overlap(weighs, self.source.reach(timeline, self.mode))

    def apply(
        self,
        delta: Array,
        measured: Array,
        timeline: Timeline,
        present: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add this layer to what those below ask for.

        Args:
            delta: `(N, 14)` AU_ORDER then LID_NAMES, changed in place.
            measured: `(N, 14)`, NaN where not known.
            timeline: the clip.
            present: `(N,)` the frames in which it is for this face; None for all.
        """
        weights = self.weights(timeline)
        if present is not None:
            weights = weights * present
        for sample in self.source.samples(timeline, timeline.times_s):
            weight = weights if sample.presence is None else weights * sample.presence
            for column in CODE_COLUMNS[sample.au]:
                below, seen = delta[:, column], measured[:, column]
                delta[:, column] = self._blended(below, seen, sample, weight)

    def _blended(self, below: Array, measured: Array, sample: Sample, weight: Array) -> Array:
        mode = sample.mode or self.mode
        if mode != "delta":
            weight = np.where(np.isnan(measured), 0.0, weight)
        measured = np.nan_to_num(measured, nan=0.0)
        base = below if self.blend == "add" else np.zeros_like(below)
        request = requested(mode, sample.values, measured + base)
        if self.blend == "add":
            return below + weight * request
        return below + weight * (request - below)

    def resolved(self) -> dict[str, Any]:
        """Plain values for the report."""
        weight: Any = self.weight
        if isinstance(weight, Channel):
            weight = {"keys": [resolved_key(key) for key in weight.keys]}
        return {
            "name": self.name,
            "mode": self.mode,
            "blend": self.blend,
            "weight": weight,
            "faces": "all" if self.faces is None else list(self.faces),
            **({} if self.span is None else self.span.resolved()),
            **self.source.resolved(),
        }


def requested(mode: str, values: Array, picture: Array) -> Array:
    """The change a mode asks for, given the AU intensity the picture has so far."""
    if mode == "delta":
        return values
    if mode == "absolute":
        return values - picture
    if mode == "scale":
        return (values - 1) * picture
    return -values * picture
