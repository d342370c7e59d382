"""Pictures of curves: they are written, hold what they should, and break with one line."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyframes.au import AU_COLUMN, AU_ORDER, AUDelta, AUIntensity
from keyframes.clock.timeline import even_timeline
from keyframes.errors import KeyframeError
from keyframes.load import known_presets, load_sheet, parse_sheet
from pipeline.figures.curves import plot_performance, plot_sheet
from pipeline.figures.style import thinned

CLAMPED = """version: 1
smooth: {gaussian: 50ms}
channels:
  AU12: [[0, 0], [2, 14], [5, 0]]
  AU1: {mode: scale, keys: [[1, 1, hold], [2, 50%]]}
"""


@pytest.mark.parametrize("suffix", [".png", ".svg", ".html"])
def test_a_sheet_is_drawn_in_every_format(tmp_path: Path, suffix: str) -> None:
    sheet = parse_sheet(CLAMPED, "clamped.yaml")
    path = tmp_path / f"plot{suffix}"
    evaluation = plot_sheet(path, sheet, even_timeline(6, Fraction(25)))
    assert any("clamped" in line for line in evaluation.warnings)
    data = path.read_bytes()
    if suffix == ".png":
        assert data.startswith(b"\x89PNG")
    else:
        for words in (b"AU12", b"lip corner", b"clamped at", b"factor or share", b"seconds"):
            assert words in data
    if suffix == ".html":
        assert b"clamped to 10 at" in data
        assert b"http://" not in data.replace(b"http://www.w3.org", b"").replace(
            b"http://purl.org", b""
        ).replace(b"http://creativecommons.org", b"")
        assert b"<script" not in data


@pytest.mark.parametrize("preset", known_presets())
def test_every_preset_is_drawn_with_just_the_aus_it_moves(tmp_path: Path, preset: str) -> None:
    path = tmp_path / "p.svg"
    sheet = load_sheet(preset)
    evaluation = plot_sheet(path, sheet, even_timeline(4, Fraction(25)))
    asked = np.hstack([evaluation.delta.values, evaluation.delta.lids])
    names = (*AU_ORDER, "43R", "43L")
    moved = {au for column, au in enumerate(names) if asked[:, column].any()}
    text = path.read_text()
    assert moved
    assert set(re.findall(r">AU(\w+)<", text)) == set(map(str, moved))
    assert f">{sheet.name}" in text


def test_a_performance_is_drawn_with_holes_and_without_a_measurement(tmp_path: Path) -> None:
    timeline = even_timeline(4, Fraction(25))
    count = len(timeline.times_s)
    values = np.zeros((count, 12), np.float32)
    values[20:80, AU_COLUMN[12]] = 2.5
    before = np.full((count, 12), 0.5, np.float32)
    before[40:50] = np.nan
    for measured, achieved in (
        (before, before),
        (np.full_like(before, np.nan), None),
    ):
        path = tmp_path / "curves.svg"
        plot_performance(
            path,
            timeline,
            AUDelta(values),
            AUIntensity(measured),
            None if achieved is None else AUIntensity(achieved),
            title="shot.smile.mp4",
        )
        text = path.read_text()
        assert "shot.smile.mp4" in text
        assert "AU12" in text
        assert "AU6" not in text
        assert ("achieved" in text) == (achieved is not None)


@pytest.mark.parametrize(("asked", "is_beyond"), [(4.0, False), (4.2, True), (-1.1, True)])
def test_the_reachable_range_is_marked_and_what_lies_beyond_hatched(
    tmp_path: Path, asked: float, is_beyond: bool
) -> None:
    path, values = tmp_path / "reach.svg", np.zeros((50, 12), np.float32)
    values[10:40, 6] = asked
    level = AUIntensity(np.full((50, 12), 1.0, np.float32))
    plot_performance(path, even_timeline(2, Fraction(25)), AUDelta(values), level, None, "reach")
    text = path.read_text()
    assert "reachable (0 to 5)" in text
    assert ("out of reach" in text) == is_beyond


def test_a_performance_without_a_request_says_so(tmp_path: Path) -> None:
    timeline = even_timeline(1, Fraction(25))
    nothing = np.zeros((25, 12), np.float32)
    path = tmp_path / "none.svg"
    plot_performance(path, timeline, AUDelta(nothing), AUIntensity(nothing), None, "none")
    assert "nothing asked for" in path.read_text()


def test_an_hour_is_thinned_without_losing_its_peaks() -> None:
    times = np.arange(216_000) / 60
    values = np.zeros(216_000)
    values[[7, 100_001]] = 5.0, -5.0
    thin_times, thin_values = thinned(times, values)
    assert len(thin_times) < 4000
    assert (np.diff(thin_times) > 0).all()
    assert {5.0, -5.0} <= set(thin_values.tolist())


def test_a_plot_that_cannot_be_written_is_a_one_line_error(tmp_path: Path) -> None:
    sheet, timeline = load_sheet("smile"), even_timeline(1, Fraction(25))
    with pytest.raises(KeyframeError, match=r"known: \.png, \.svg, \.html"):
        plot_sheet(tmp_path / "x.gif", sheet, timeline)
    with pytest.raises(KeyframeError, match="cannot be written"):
        plot_sheet(tmp_path / "none" / "x.png", sheet, timeline)
