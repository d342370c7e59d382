"""OpenTimelineIO: named clips and markers of a timeline as stretches of time.

Read by OpenTimelineIO's own JSON reader, never by an adapter plug-in, so nothing is executed.
"""

# The package's types are partial: what comes out of it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from keyframes.errors import KeyframeError

_APEX = "apex of "
"""How our own files mark where a pose is fully in; no pose of its own."""


@dataclass(frozen=True)
class TimelineEvent:
    """A named stretch, seconds from the start of the timeline; markers may have no length."""

    name: str
    start_s: float
    duration_s: float
    is_marker: bool


def read_events(path: Path) -> tuple[TimelineEvent, ...]:
    """Clips and markers in order of time.

    Raises:
        KeyframeError: OpenTimelineIO is not installed (the extra named), or not such a file.
    """
    otio = _package(path)
    if not path.is_file():
        raise KeyframeError(f"{path}: no such file")
    try:
        timeline = otio.core.deserialize_json_from_file(str(path))
    except (otio.exceptions.OTIOError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()
        detail = reason[0] if reason else type(error).__name__
        raise KeyframeError(f"{path}: not an OpenTimelineIO file: {detail}") from None
    if not isinstance(timeline, otio.schema.Timeline):
        raise KeyframeError(f"{path}: got {type(timeline).__name__}; expected a Timeline")
    events = _markers(timeline.tracks, timeline.tracks)
    for item in timeline.tracks.find_children():
        if isinstance(item, otio.core.Item):
            events += _markers(item, timeline.tracks)
        if isinstance(item, otio.schema.Clip) and item.name:
            events.append(_event(item.name, item.trimmed_range(), item, timeline.tracks, False))
    return tuple(sorted(events, key=lambda event: (event.start_s, event.name)))


def _markers(item: Any, stack: Any) -> list[TimelineEvent]:
    return [
        _event(m.name, m.marked_range, item, stack, True)
        for m in item.markers
        if not m.name.startswith(_APEX)
    ]


def _event(name: str, time_range: Any, item: Any, stack: Any, marker: bool) -> TimelineEvent:
    placed = item.transformed_time_range(time_range, stack)
    return TimelineEvent(name, placed.start_time.to_seconds(), placed.duration.to_seconds(), marker)


def _package(path: Path) -> Any:
    if importlib.util.find_spec("opentimelineio") is None:
        raise KeyframeError(
            f"{path}: OpenTimelineIO files need a package; pip install 'aureel[curves]'"
        )
    import opentimelineio

    return opentimelineio


@dataclass(frozen=True)
class NamedRange:
    """A stretch to write: seconds from the start, and when what it names is fully there."""

    name: str
    start_s: float
    end_s: float
    apex_s: float | None = None


def write_ranges(
    path: Path, name: str, ranges: Sequence[NamedRange], rate: Fraction, duration_s: float
) -> None:
    """A timeline with a track per range: a clip of that name, and a marker at its apex.

    Raises:
        KeyframeError: OpenTimelineIO is not installed; a place that cannot be written.
    """
    otio = _package(path)

    def time(seconds: float) -> Any:
        return otio.opentime.RationalTime(seconds * float(rate), float(rate))

    def span(start: float, end: float) -> Any:
        return otio.opentime.TimeRange(time(start), time(end - start))

    timeline = otio.schema.Timeline(name)
    for number, part in enumerate(ranges, 1):
        track = otio.schema.Track(f"{number} {part.name}")
        start, end = max(0.0, part.start_s), max(part.end_s, 0.0)
        if start > 0:
            track.append(otio.schema.Gap(source_range=span(0, start)))
        clip = otio.schema.Clip(part.name, source_range=span(0, end - start))
        if part.apex_s is not None and start <= part.apex_s <= end:
            at = span(part.apex_s - start, part.apex_s - start)
            clip.markers.append(otio.schema.Marker(_APEX + part.name, at))
        track.append(clip)
        if end < duration_s:
            track.append(otio.schema.Gap(source_range=span(0, duration_s - end)))
        timeline.tracks.append(track)
    try:
        path.write_text(otio.adapters.write_to_string(timeline, "otio_json"), "utf-8")
    except OSError as error:
        raise KeyframeError(f"{path}: cannot be written: {error.strerror or error}") from None
