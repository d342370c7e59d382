"""A clip that stands in for footage when curves are checked, drawn or baked without any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from jobs.errors import JobError
from keyframes.au import AUIntensity
from keyframes.clock.rates import parse_frame_rate
from keyframes.clock.smpte import parse_timecode
from keyframes.clock.timeline import Timeline, even_timeline
from keyframes.formats.recognise import read_table
from keyframes.formats.rows.options import Options
from keyframes.load import load_sheet
from keyframes.sheet import KeyframeSheet
from keyframes.sources.performance import PerformanceTable

SHORTEST_S = 6.0
"""Without a duration a clip is this long, or as long as the curve's own keys."""


class ClipOptions(BaseModel):
    """The frames a curve is drawn or baked on, as commands take them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fps: str = Field(default="25", description="Frames per second: 25, 30000/1001, 29.97.")
    duration: float | None = Field(
        default=None, description="Length in seconds. Without: 6, or as long as the keys."
    )
    start_timecode: str | None = Field(
        default=None, description="SMPTE timecode of the first frame."
    )
    measured: Path | None = Field(
        default=None,
        description="An analysis table: its frames and measured action units. Without it a "
        "neutral face (all 0).",
    )
    track: int = Field(default=0, description="Face of that table.")


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
    else:
        start_timecode = _assumed_start(sheet)
    if duration_s is not None:
        return even_timeline(duration_s, rate, start_timecode)
    shortest = even_timeline(SHORTEST_S, rate, start_timecode)
    return even_timeline(max(SHORTEST_S, sheet.last_key_s(shortest)), rate, start_timecode)


def _assumed_start(sheet: KeyframeSheet) -> str | None:
    """The full hour of the first label, where it is not the first of the day: a reel's start."""
    labels = sheet.timecodes()
    hour = min((label.hours for label in labels), default=0)
    separator = ";" if any(label.drop_frame for label in labels) else ":"
    return f"{hour:02}:00:00{separator}00" if hour else None


def assumptions(timeline: Timeline, start_timecode: str | None) -> list[str]:
    """What was taken for granted where a curve has no footage."""
    if timeline.start_timecode == start_timecode:
        return []
    return [
        f"its timecode is counted from {timeline.start_timecode}, the full hour before its first "
        "label; say --start-timecode if the clip starts elsewhere"
    ]


def clip_of(sheet: KeyframeSheet, asked: ClipOptions) -> tuple[Timeline, AUIntensity | None]:
    """Frames for a curve, and what was measured on them where there is a table.

    Raises:
        KeyframeError: a rate or length that cannot be, keys that do not fit, no such table.
    """
    if asked.measured is None:
        return stand_in(sheet, asked.fps, asked.duration, asked.start_timecode), None
    found = read_table(asked.measured, options=Options(track=asked.track))
    return frames_of(found, asked.fps), intensity_of(found)


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
    return AUIntensity.level(len(timeline.times_s))
