"""A clip that stands in for footage when curves are checked, drawn or baked without any."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jobs.errors import JobError
from keyframes.au import AU_ORDER, AUIntensity
from keyframes.importers.formats import read_table
from keyframes.importers.options import Options
from keyframes.load import load_sheet
from keyframes.performance import PerformanceTable
from keyframes.sheet import KeyframeSheet
from keyframes.smpte import parse_timecode
from keyframes.timeline import Timeline, even_timeline, parse_frame_rate

SHORTEST_S = 6.0
"""Without a duration a clip is this long, or as long as the curve's own keys."""


def sheet_with_videos_refused(reference: str) -> KeyframeSheet:
    """A curve that needs no footage.

    Raises:
        JobError: it is driven by a video that has to be analysed first.
    """
    sheet = load_sheet(reference)
    for video, _ in sheet.videos():
        raise JobError(
            f"{reference}: driving video {video} is measured by jobs/animate.py; here, import "
            "the table that jobs/analyse.py makes of it"
        )
    return sheet


def stand_in(
    sheet: KeyframeSheet, fps: str, duration_s: float | None, start_timecode: str | None
) -> Timeline:
    """Evenly spaced frames for a curve.

    Raises:
        KeyframeError: a rate or length that cannot be, or keys that do not fit.
    """
    rate = parse_frame_rate(fps)
    if start_timecode is not None:
        parse_timecode(start_timecode).frame_number(rate)
    if duration_s is not None:
        return even_timeline(duration_s, rate, start_timecode)
    shortest = even_timeline(SHORTEST_S, rate, start_timecode)
    return even_timeline(max(SHORTEST_S, sheet.last_key_s(shortest)), rate, start_timecode)


def measured_clip(table: Path, fps: str, track: int) -> tuple[Timeline, AUIntensity]:
    """The frames of an analysis table, and what was measured on them."""
    found = read_table(table, options=Options(track=track))
    return frames_of(found, fps), intensity_of(found)


def frames_of(table: PerformanceTable, fps: str | None) -> Timeline:
    """A table's rows as frames; the rate is the given one, else the table's usual step."""
    own = table.timeline()
    rate = own.frame_rate if fps is None else parse_frame_rate(fps)
    return Timeline(own.times_s, own.duration_s + float(1 / rate), rate)


def intensity_of(table: PerformanceTable) -> AUIntensity:
    """A table's values, as measured."""
    return AUIntensity(table.values.astype(np.float32))


def neutral_face(timeline: Timeline) -> AUIntensity:
    """A face at rest on every frame."""
    return AUIntensity(np.zeros((len(timeline.times_s), len(AU_ORDER)), np.float32))
