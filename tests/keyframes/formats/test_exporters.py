"""Tables and foreign formats: what goes out can come back in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyframes.au import AU_COLUMN, AUDelta, AUIntensity
from keyframes.clock.rates import parse_frame_rate
from keyframes.clock.timeline import even_timeline
from keyframes.curves.simplify import fewest_keys
from keyframes.errors import KeyframeError
from keyframes.formats import openface
from keyframes.formats.blendshapes import livelink
from keyframes.formats.blendshapes.arkit import load_arkit
from keyframes.formats.recognise import read_table
from keyframes.formats.rows.tables import baked_columns, performance_columns, write_table
from keyframes.load import inspect_sheet


def performance(rows: int, au: int = 12) -> AUIntensity:
    values = np.zeros((rows, 12), np.float32)
    values[:, AU_COLUMN[au]] = np.linspace(0, 5, rows)
    return AUIntensity(values)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_performance_table_has_requested_measured_and_achieved(
    tmp_path: Path, suffix: str
) -> None:
    timeline = even_timeline(1, Fraction(25))
    shown = performance(25)
    holes = shown.values.copy()
    holes[3] = np.nan
    path = tmp_path / f"p{suffix}"
    columns = performance_columns(
        timeline.times_s, AUDelta(shown.values), AUIntensity(holes), shown
    )
    write_table(path, columns)
    if suffix == ".csv":
        lines = path.read_text().splitlines()
        assert lines[0].startswith("time_s,AU1_requested,AU1_measured,AU1_achieved,AU2_requested")
        assert lines[4].split(",")[1:4] == ["0.000000", "", "0.000000"]
    else:
        table = pq.read_table(path)
        assert table.num_rows == 25
        assert table.column("AU12_measured").null_count == 1


def test_a_live_link_take_starts_at_the_clips_timecode_and_skips_lost_frames(
    tmp_path: Path,
) -> None:
    timeline = even_timeline(2, Fraction(30000, 1001), "10:00:00:20")
    shown = performance(60, au=26)
    holes = shown.values.copy()
    holes[10:20] = np.nan
    path = tmp_path / "take.csv"
    assert livelink.write(path, timeline, AUIntensity(holes), load_arkit()) == []
    rows = path.read_text().splitlines()
    assert rows[1].startswith("10:00:00:20.000,61,")
    assert rows[11].startswith("10:00:01:10.000,61,")
    assert len(rows) == 51
    back = read_table(path)
    assert back.values[-1, AU_COLUMN[26]] == pytest.approx(5.0, abs=1e-4)


def test_an_openface_table_marks_lost_frames(tmp_path: Path) -> None:
    timeline = even_timeline(1, Fraction(25))
    holes = performance(25).values.copy()
    holes[5] = np.nan
    openface.write(tmp_path / "of.csv", timeline, AUIntensity(holes))
    back = read_table(tmp_path / "of.csv")
    assert np.isnan(back.values[5]).all()
    assert back.values[-1, AU_COLUMN[12]] == pytest.approx(5.0)
    assert "rows without a face: 1 of 25" in back.notes[0]


def test_a_table_of_another_suffix_is_refused(tmp_path: Path) -> None:
    columns = baked_columns(np.zeros(1), AUDelta(np.zeros((1, 12), np.float32)))
    with pytest.raises(KeyframeError, match=r"suffix '\.xlsx'; known: \.csv"):
        write_table(tmp_path / "t.xlsx", columns)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=120), st.floats(0.01, 1))
def test_the_fewest_keys_stay_within_tolerance(values: list[float], tolerance: float) -> None:
    times = np.arange(len(values)) / 30
    curve = np.array(values)
    rows = fewest_keys(times, curve, tolerance)
    assert np.abs(np.interp(times, times[rows], curve[rows]) - curve).max() <= tolerance + 1e-12


def test_frame_rates_are_read_as_people_write_them() -> None:
    assert parse_frame_rate("29.97") == Fraction(30000, 1001)
    assert parse_frame_rate("23.976") == Fraction(24000, 1001)
    assert parse_frame_rate("30000/1001") == Fraction(30000, 1001)
    assert parse_frame_rate("25") == 25
    assert parse_frame_rate("12.5") == Fraction(25, 2)


def test_an_absolute_target_outside_the_scale_is_a_warning() -> None:
    sheet, problems = inspect_sheet(
        "version: 1\nmode: absolute\nchannels: {AU12: [[0, 7]]}", "high.yaml"
    )
    assert sheet is not None
    assert [str(p) for p in problems] == [
        "high.yaml:3:19: channels.AU12[0]: warning: absolute target 7 is outside 0 to 5"
    ]
