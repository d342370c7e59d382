"""OpenTimelineIO ranges and markers become poses."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyframes.au import AU_COLUMN, AUIntensity
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.formats.otio import read_events
from keyframes.load import inspect_sheet, load_sheet

otio = pytest.importorskip("opentimelineio", reason="needs the extra [curves]")


def timeline_file(path: Path) -> Path:
    """A gap of 1 s, a clip `smile` of 2 s with a marker `6B+12D` 0.5 s in, and a marker `cut`."""

    def seconds(start: float, length: float) -> object:
        rate = 24
        return otio.opentime.TimeRange(
            otio.opentime.RationalTime(start * rate, rate),
            otio.opentime.RationalTime(length * rate, rate),
        )

    timeline = otio.schema.Timeline("expressions")
    track = otio.schema.Track("faces")
    timeline.tracks.append(track)
    track.append(otio.schema.Gap(source_range=seconds(0, 1)))
    clip = otio.schema.Clip("smile", source_range=seconds(10, 2))
    clip.markers.append(otio.schema.Marker("6B+12D", seconds(10.5, 0)))
    track.append(clip)
    timeline.tracks.markers.append(otio.schema.Marker("cut", seconds(0.5, 0)))
    otio.adapters.write_to_file(timeline, str(path))
    return path


def test_clips_and_markers_are_placed_on_the_timelines_clock(tmp_path: Path) -> None:
    events = read_events(timeline_file(tmp_path / "t.otio"))
    assert [(e.name, e.start_s, e.duration_s) for e in events] == [
        ("cut", 0.5, 0.0),
        ("smile", 1.0, 2.0),
        ("6B+12D", 1.5, 0.0),
    ]


def test_names_become_poses_and_the_rest_is_reported(tmp_path: Path) -> None:
    timeline_file(tmp_path / "t.otio")
    (tmp_path / "s.yaml").write_text("version: 1\nimport: t.otio\n")
    sheet, problems = inspect_sheet((tmp_path / "s.yaml").read_text(), "s.yaml", folder=tmp_path)
    assert sheet is not None
    assert [p.message for p in problems] == ["timeline entries that name no pose: cut"]
    times = np.arange(100) / 25
    unknown = AUIntensity(np.full((100, 12), np.nan, np.float32))
    smile = sheet.deltas(Timeline(times, 4.0, Fraction(25)), unknown).values[:, AU_COLUMN[12]]
    assert (smile[times <= 1.0] == 0).all()
    assert (smile[times >= 3.05] == 0).all()
    assert smile.max() == pytest.approx(7.0, abs=0.1)


def test_a_name_can_be_given_its_meaning(tmp_path: Path) -> None:
    timeline_file(tmp_path / "t.otio")
    (tmp_path / "s.yaml").write_text(
        "version: 1\nimport:\n  file: t.otio\n  markers:\n    cut: {use: surprise, intensity: E}\n"
    )
    sheet = load_sheet(str(tmp_path / "s.yaml"))
    assert sheet.layers[0].name == "surprise"
    assert sheet.warnings == ()


def test_a_broken_timeline_is_a_one_line_error(tmp_path: Path) -> None:
    for text in ("", "{", "[1, 2]", '{"OTIO_SCHEMA": "Clip.1", "name": "x"}', '{"a": 1}'):
        (tmp_path / "t.otio").write_text(text)
        with pytest.raises(KeyframeError, match=r"t\.otio: ") as error:
            read_events(tmp_path / "t.otio")
        assert "\n" not in str(error.value)
