"""Labels become true time at every rate, and nothing drifts on the way out and back in."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyframes.au import AU_COLUMN, AUIntensity
from keyframes.clock.rates import STANDARD_RATES, parse_frame_rate, rate_of_times, rate_text
from keyframes.clock.smpte import timecode_at
from keyframes.clock.timeline import Timeline, even_timeline
from keyframes.errors import KeyframeError
from keyframes.formats import openface
from keyframes.formats.blendshapes import livelink
from keyframes.formats.blendshapes.arkit import SHAPES, load_arkit
from keyframes.formats.recognise import read_table
from keyframes.formats.rows.options import Options
from keyframes.load import inspect_sheet

NTSC = Fraction(30000, 1001)
FIVE_MINUTES = 300.0
RATES = [rate for rate in STANDARD_RATES if rate <= 60]


def take(path: Path, labels: Iterable[str]) -> Path:
    """A Live Link file whose mouth smiles ever more."""
    labels = list(labels)
    rows = [
        f"{label},52,"
        + ",".join(f"{row / len(labels) if s == 'MouthSmileLeft' else 0:.4f}" for s in SHAPES)
        for row, label in enumerate(labels)
    ]
    path.write_text("Timecode,BlendshapeCount," + ",".join(SHAPES) + "\n" + "\n".join(rows) + "\n")
    return path


def labels_at(
    rate: Fraction, count: int, *, every: int = 1, drop: bool = False, first: int = 0
) -> list[str]:
    text = [str(timecode_at(first + i * every, rate, drop_frame=drop)) for i in range(count)]
    return [label.replace(";", ":") + ".000" for label in text]


@pytest.mark.parametrize("rate", STANDARD_RATES, ids=rate_text)
@pytest.mark.parametrize("every", [1, 2])
def test_labels_are_true_time_at_the_rate_they_are_given(
    tmp_path: Path, rate: Fraction, every: int
) -> None:
    count = 1500
    path = take(tmp_path / "t.csv", labels_at(rate, count, every=every))
    for fps in (rate, float(rate)):
        times = read_table(path, options=Options(fps=fps)).times_s
        true = np.arange(count) * every / rate
        assert times == pytest.approx(np.array([float(t) for t in true]), abs=1e-6)


@pytest.mark.parametrize("nominal", [24, 25, 30, 50, 60])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_labels_show_how_many_there_are_to_a_second(
    tmp_path: Path, nominal: int, every: int
) -> None:
    path = take(tmp_path / "t.csv", labels_at(Fraction(nominal), 200, every=every, first=7))
    table = read_table(path)
    assert table.times_s[-1] == pytest.approx(199 * every / nominal)
    assert f"{nominal} fps by its largest frame number" in table.notes[0]


@pytest.mark.parametrize("rate", [NTSC, 2 * NTSC], ids=["29.97", "59.94"])
def test_drop_frame_shows_by_the_numbers_it_leaves_out(tmp_path: Path, rate: Fraction) -> None:
    count = 130 * round(rate)
    path = take(tmp_path / "t.csv", labels_at(rate, count, every=1, drop=True))
    table = read_table(path)
    assert "drop-frame" in table.notes[0]
    assert table.times_s[-1] == pytest.approx(float((count - 1) / rate), abs=1e-6)


def test_labels_of_29_97_say_what_it_would_make_of_them(tmp_path: Path) -> None:
    path = take(tmp_path / "t.csv", labels_at(NTSC, 4000))
    assert "say fps: 29.97 (0.133 s later at its end)" in read_table(path).notes[0]
    assert read_table(path, options=Options(fps=29.97)).times_s[-1] == pytest.approx(133.43330)


def test_a_take_goes_on_past_midnight_at_its_own_rate(tmp_path: Path) -> None:
    day = 24 * 3600 * 30
    path = take(tmp_path / "t.csv", labels_at(NTSC, 300, first=day - 150))
    times = read_table(path, options=Options(fps=29.97)).times_s
    assert times == pytest.approx(np.arange(300) / float(NTSC), abs=1e-6)


def test_a_take_too_short_to_show_its_rate_asks_for_it(tmp_path: Path) -> None:
    path = take(tmp_path / "t.csv", labels_at(Fraction(60), 20))
    with pytest.raises(KeyframeError, match=r"20 rows do not show how many frames .* say fps"):
        read_table(path)
    times = read_table(path, options=Options(fps=60)).times_s
    assert times == pytest.approx(np.arange(20) / 60)


def test_a_rate_that_cannot_be_the_labels_own_is_refused(tmp_path: Path) -> None:
    path = take(tmp_path / "t.csv", labels_at(Fraction(30), 90))
    for fps in (25, 60):
        with pytest.raises(KeyframeError, match="counts 30 frames a second"):
            read_table(path, options=Options(fps=fps))


def smile(timeline: Timeline) -> AUIntensity:
    values = np.zeros((len(timeline.times_s), 12), np.float32)
    values[:, AU_COLUMN[12]] = np.linspace(0, 5, len(values))
    return AUIntensity(values)


@pytest.mark.parametrize("rate", [*RATES, Fraction(25, 2), Fraction(5)], ids=rate_text)
@pytest.mark.parametrize("duration_s", [20 / 60, FIVE_MINUTES])
def test_five_minutes_through_live_link_end_within_a_millisecond(
    tmp_path: Path, rate: Fraction, duration_s: float
) -> None:
    clip = even_timeline(duration_s, rate)
    livelink.write(tmp_path / "t.csv", clip, smile(clip), load_arkit())
    back = read_table(tmp_path / "t.csv")
    assert np.abs(back.times_s - clip.times_s).max() < 1e-3
    assert back.values[-1, AU_COLUMN[12]] == pytest.approx(5, abs=1e-4)


@pytest.mark.parametrize("start", ["23:58:00:00", "10:00:00;00"])
def test_a_clip_with_timecode_goes_out_by_its_own_labels_and_comes_back_true(
    tmp_path: Path, start: str
) -> None:
    clip = even_timeline(FIVE_MINUTES, NTSC, start)
    livelink.write(tmp_path / "t.csv", clip, smile(clip), load_arkit())
    first = (tmp_path / "t.csv").read_text().splitlines()[1]
    assert first.startswith(start + ".000,61,")
    assert np.abs(read_table(tmp_path / "t.csv").times_s - clip.times_s).max() < 1e-3


@pytest.mark.parametrize("rate", [RATES[0], NTSC, 2 * NTSC], ids=rate_text)
@pytest.mark.parametrize("decimals", [3, 6])
def test_openface_through_live_link_keeps_its_times(
    tmp_path: Path, rate: Fraction, decimals: int
) -> None:
    times = np.round(np.arange(int(FIVE_MINUTES * rate)) / float(rate), decimals)
    clip = Timeline(times, FIVE_MINUTES, rate)
    openface.write(tmp_path / "of.csv", clip, smile(clip))
    table = read_table(tmp_path / "of.csv")
    assert table.timeline().frame_rate == rate
    own = Timeline(table.times_s, FIVE_MINUTES, table.timeline().frame_rate)
    livelink.write(tmp_path / "t.csv", own, smile(own), load_arkit())
    assert np.abs(read_table(tmp_path / "t.csv").times_s - times).max() < 1e-3


@pytest.mark.parametrize("rate", STANDARD_RATES, ids=rate_text)
def test_whole_milliseconds_do_not_bend_the_rate(rate: Fraction) -> None:
    times = np.round(np.arange(600) / float(rate), 3)
    assert rate_of_times(times) == rate
    gappy = np.delete(times, slice(100, 350))
    assert rate_of_times(gappy) == rate


def test_a_rate_is_what_was_typed() -> None:
    assert [parse_frame_rate(t) for t in ("5", "24", "15", "12.5")] == [5, 24, 15, Fraction(25, 2)]
    assert parse_frame_rate("23.98") == parse_frame_rate("23.976") == Fraction(24000, 1001)
    assert all(parse_frame_rate(rate_text(rate)) == rate for rate in STANDARD_RATES)


def test_takes_are_placed_by_their_timecode(tmp_path: Path) -> None:
    take(tmp_path / "take.csv", labels_at(Fraction(60), 600, first=60 * 3602))
    text = "version: 1\nmode: absolute\nimport: {file: take.csv, align: timecode}\n"
    sheet, problems = inspect_sheet(text, "a.yaml", folder=tmp_path)
    assert sheet is not None, problems
    clip = even_timeline(8.0, Fraction(25), "01:00:00:00")
    asked = sheet.deltas(clip, AUIntensity(np.zeros((200, 12), np.float32)))
    found = asked.values[:, AU_COLUMN[12]]
    into = clip.times_s - 2
    assert found[into >= 0] == pytest.approx(2.5 * 60 * into[into >= 0] / 600, abs=2e-3)
    with pytest.raises(KeyframeError, match=r"a\.yaml:3:9: import: the clip has no start timecode"):
        sheet.deltas(even_timeline(8.0, Fraction(25)), AUIntensity(np.zeros((200, 12), np.float32)))
    elsewhere = even_timeline(8.0, Fraction(25), "05:00:00:00")
    warnings = sheet.evaluate(elsewhere, AUIntensity(np.zeros((200, 12), np.float32))).warnings
    assert any("does not meet the clip's" in line for line in warnings)
