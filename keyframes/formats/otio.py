"""OpenTimelineIO: named clips and markers of a timeline as stretches of time.

Read by OpenTimelineIO's own JSON reader, never by an adapter plug-in, so nothing is executed.
"""

# The package's types are partial: what comes out of it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyframes.errors import KeyframeError


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
    if importlib.util.find_spec("opentimelineio") is None:
        raise KeyframeError(
            f"{path}: OpenTimelineIO files need a package; pip install 'aureel[curves]'"
        )
    import opentimelineio as otio

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
    return [_event(m.name, m.marked_range, item, stack, True) for m in item.markers]


def _event(name: str, time_range: Any, item: Any, stack: Any, marker: bool) -> TimelineEvent:
    placed = item.transformed_time_range(time_range, stack)
    return TimelineEvent(name, placed.start_time.to_seconds(), placed.duration.to_seconds(), marker)
