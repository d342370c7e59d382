"""A keyframe sheet: layers of curves, evaluated at a clip's true presentation times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.au import (
    AU_NAMES,
    AU_ORDER,
    DELTA_LIMIT,
    LID_COLUMNS,
    LID_NAMES,
    AUCode,
    AUDelta,
    AUIntensity,
)
from keyframes.clock.smpte import Timecode
from keyframes.clock.spans import Spans, union
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.layer import Layer
from keyframes.people import Person
from keyframes.sources.gesture import Gesture
from keyframes.sources.keyed import Keyed
from keyframes.sources.performance import MeasuredPerformance, PerformanceTable

NOBODY: Mapping[str, NDArray[np.bool_]] = {}
"""What is known of faces where nobody was looked for."""
EVALUATION_VERSION = 2
"""Part of the digest; raise it when the same file starts to give other numbers."""
_RUNS_SHOWN = 3


@dataclass(frozen=True)
class Evaluation:
    """A sheet on one face of one clip.

    Attributes:
        delta: what is asked for, clamped to ±10.
        unclamped: `(N, 14)` float64 in AU_ORDER then LID_NAMES, before the clamp.
        warnings: one line each: clamps with AU and time, keys outside the clip, losses.
    """

    delta: AUDelta
    unclamped: NDArray[np.float64]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class KeyframeSheet:
    """A curve file, ready for any clip.

    Attributes:
        name: of the file or preset, without suffix.
        layers: from the bottom up.
        input: files, folders or globs the file names; relative ones resolved beside it.
        output: where the file wants the result.
        description: for people.
        warnings: what loading found worth saying.
        people: who its layers may address by name.
    """

    name: str
    layers: tuple[Layer, ...]
    input: tuple[str, ...] = ()
    output: str | None = None
    description: str = ""
    warnings: tuple[str, ...] = ()
    people: tuple[Person, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Hash of everything that decides the numbers: layers, keys and imported tables.

        Names, comments, `input` and `output` do not count. A driving video counts by what was
        measured in it, so take the digest after `with_tables`.
        """
        layers = [layer.resolved() for layer in self.layers]
        for layer in layers:
            layer.pop("name")
            table = layer.get("import", {})
            if table.get("sha256"):
                table.pop("source")
        people = [[[person.name, person.digests] for person in self.people]] if self.people else []
        text = json.dumps([EVALUATION_VERSION, layers, *people], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def targets(self, faces: int = 1) -> tuple[int | str, ...]:
        """The faces it addresses: numbers, largest first, then names.

        Args:
            faces: how many the clip has, for layers that are for all of them.
        """
        found: set[int | str] = set()
        for layer in self.layers:
            found.update(range(faces) if layer.faces is None else layer.faces)
        names = [person.name for person in self.people if person.name in found]
        return (*sorted(face for face in found if isinstance(face, int)), *names)

    @property
    def shuts_eyes(self) -> bool:
        """Whether any layer names AU43 or AU45, which not every editor has."""
        codes: set[AUCode] = set()
        for layer in self.layers:
            if isinstance(layer.source, Keyed):
                codes.update(layer.source.channels)
            elif isinstance(layer.source, Gesture):
                codes.update(layer.source.pose)
            elif isinstance(layer.source, MeasuredPerformance):
                codes.update(layer.source.aus or ())
        return not codes.isdisjoint(LID_COLUMNS)

    def videos(self) -> tuple[tuple[str, int], ...]:
        """Driving videos that are not analysed yet, and which face (track) of each is meant."""
        found = [
            (layer.source.video, layer.source.track)
            for layer in self.layers
            if isinstance(layer.source, MeasuredPerformance)
            and layer.source.table is None
            and layer.source.video is not None
        ]
        return tuple(dict.fromkeys(found))

    def with_tables(self, tables: Mapping[tuple[str, int], PerformanceTable]) -> KeyframeSheet:
        """The sheet with driving videos resolved to what was measured in them.

        Args:
            tables: for entries of `videos()`; `keyframes.formats.recognise.read_table` makes them
                of analysis tables.
        """

        def resolved(layer: Layer) -> Layer:
            source = layer.source
            if not isinstance(source, MeasuredPerformance) or source.video is None:
                return layer
            table = tables.get((source.video, source.track), source.table)
            return replace(layer, source=replace(source, table=table))

        return replace(self, layers=tuple(resolved(layer) for layer in self.layers))

    def timecodes(self) -> tuple[Timecode, ...]:
        """SMPTE labels its times are written in, in no order."""
        return tuple(
            instant.timecode
            for layer in self.layers
            for instant in layer.instants()
            if instant.timecode is not None
        )

    def last_key_s(self, timeline: Timeline) -> float:
        """When its last key or pose ends on a clip; 0 if all of it follows the clip.

        Raises:
            KeyframeError: a key that does not fit the clip, with its place.
        """
        return max((layer.source.last_key_s(timeline) for layer in self.layers), default=0.0)

    def reach(self, timeline: Timeline) -> Spans:
        """When it may ask any face for anything on a clip, known before a face is measured.

        Never too little: where it cannot be known (a driving video that is not measured yet, a
        curve in absolute values, a filter that never forgets) it is the whole clip.

        Raises:
            KeyframeError: the sheet does not fit this clip, with the place.
        """
        return union(span for layer in self.layers for span in layer.reach(timeline))

    def deltas(self, timeline: Timeline, measured: AUIntensity, *, face: int | str = 0) -> AUDelta:
        """AU change asked for at each frame of a face; see `evaluate`."""
        return self.evaluate(timeline, measured, face=face).delta

    def evaluate(
        self,
        timeline: Timeline,
        measured: AUIntensity,
        *,
        face: int | str = 0,
        known: Mapping[str, NDArray[np.bool_]] = NOBODY,
    ) -> Evaluation:
        """AU change asked for at each frame, and what to tell a person about it.

        Args:
            timeline: the clip; a piece of it gives the same values as the whole, as long as the
                piece keeps the whole's duration, rate and timecode.
            measured: of the same frames; NaN where unknown: there, all modes but delta ask
                for nothing.
            face: track number, 0 the largest; or a name.
            known: who the track is: name → `(N,)`, in which frames.

        Raises:
            KeyframeError: the sheet does not fit this clip (places named), or the two
                arguments differ in length.
        """
        if len(measured) != len(timeline.times_s):
            raise KeyframeError(
                f"measured AUs of {len(measured)} frames; expected {len(timeline.times_s)}"
            )
        intensities = np.hstack([measured.values, measured.lids]).astype(np.float64)
        delta = np.zeros(intensities.shape)
        found = list(self.warnings)
        for layer in self.layers:
            present = layer.presence(face, known)
            if present is not None:
                layer.apply(delta, intensities, timeline, present)
                found += layer.source.warnings(timeline)
        found += _clamp_warnings(delta, timeline.times_s)
        clamped = np.clip(delta, -DELTA_LIMIT, DELTA_LIMIT).astype(np.float32)
        aus, lids = np.split(clamped, [len(AU_ORDER)], axis=1)
        return Evaluation(AUDelta(aus, lids), delta, tuple(dict.fromkeys(found)))

    def resolved(self) -> dict[str, Any]:
        """The sheet in plain values, presets and defaults written out, for the report."""
        return {
            "name": self.name,
            "description": self.description,
            "digest": self.digest,
            "input": list(self.input),
            "output": self.output,
            "layers": [layer.resolved() for layer in self.layers],
            **({"people": {p.name: list(p.pictures) for p in self.people}} if self.people else {}),
        }


def _clamp_warnings(delta: NDArray[np.float64], times_s: NDArray[np.float64]) -> list[str]:
    found: list[str] = []
    for column in np.flatnonzero((np.abs(delta) > DELTA_LIMIT).any(axis=0)):
        values = delta[:, column]
        beyond = np.abs(values) > DELTA_LIMIT
        edges = np.flatnonzero(np.diff(np.concatenate([[False], beyond, [False]])))
        runs = edges.reshape(-1, 2)
        shown = [
            f"{times_s[first]:.2f}–{times_s[last - 1]:.2f} s" for first, last in runs[:_RUNS_SHOWN]
        ]
        if len(runs) > _RUNS_SHOWN:
            shown.append(f"{len(runs) - _RUNS_SHOWN} more")
        peak = values[np.argmax(np.abs(values))]
        found.append(
            f"{(*AU_NAMES, *LID_NAMES)[column]}: {peak:.4g} asked for, clamped to "
            f"{np.clip(peak, -DELTA_LIMIT, DELTA_LIMIT):g} at {', '.join(shown)}"
        )
    return found
