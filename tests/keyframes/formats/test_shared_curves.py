"""Small inputs of the kinds that animators and researchers bring (../shared/curves)."""

from __future__ import annotations

import gzip
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from jobs.curves.convert import Conversion, convert
from keyframes.au import AU_COLUMN, AUIntensity
from keyframes.clock.timeline import Timeline, even_timeline
from keyframes.errors import KeyframeError
from keyframes.formats.recognise import read_table
from keyframes.formats.rows.options import Options
from keyframes.load import load_sheet, parse_sheet

SHARED = Path(__file__).resolve().parents[4] / "shared" / "curves"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/curves")


def neutral(timeline: Timeline) -> AUIntensity:
    return AUIntensity(np.zeros((len(timeline.times_s), 12), np.float32))


def test_a_full_openface_table_loads() -> None:
    table = read_table(SHARED / "openface_full_header.csv")
    assert table.values[:, AU_COLUMN[12]].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(("name", "fps"), [("openface_2fps.csv", None), ("pyfeat_skip15.csv", 30)])
def test_sparse_tables_are_bridged_by_their_own_step(tmp_path: Path, name: str, fps: int) -> None:
    said = "" if fps is None else f", fps: {fps}"
    text = f"version: 1\nmode: absolute\nimport: {{file: {SHARED / name}{said}}}\n"
    timeline = even_timeline(9.5, Fraction(25))
    evaluation = parse_sheet(text, "s.yaml").evaluate(timeline, neutral(timeline))
    smile = evaluation.delta.values[:, AU_COLUMN[12]]
    low, high = (2, 3) if fps is None else (1, 2.5)
    assert smile.min() >= low - 1e-6
    assert smile.max() <= high + 1e-6
    assert not any("nothing measured" in line for line in evaluation.warnings)


def test_labels_of_29_97_become_true_time(tmp_path: Path) -> None:
    packed = SHARED / "llf_ndf2997.csv.gz"
    plain = tmp_path / "take.csv"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    for path in (packed, plain):
        table = read_table(path, options=Options(fps=29.97))
        assert table.times_s[-1] == pytest.approx(3999 * 1001 / 30000, abs=1e-3)


def test_percent_is_scaled_and_said() -> None:
    table = read_table(SHARED / "llf_pct.csv")
    assert set(table.values[:, AU_COLUMN[12]]) == {4.0}
    assert any("read as percent" in note for note in table.notes)


def test_au01_is_taken() -> None:
    layer = load_sheet(str(SHARED / "au01.yaml")).layers[0]
    assert set(layer.resolved()["channels"]) == {"AU1", "AU12"}


def test_a_gain_in_percent_is_taken_like_a_weight(tmp_path: Path) -> None:
    text = (SHARED / "gain_percent.yaml").read_text()
    text = text.replace("../real/llf_slate3.csv", str(SHARED / "llf_pct.csv"))
    assert parse_sheet(text, "g.yaml").layers[0].resolved()["import"]["gain"] == {"AU1": 0.7}


def test_a_pose_that_ends_before_it_starts_is_an_error_with_its_place_on_that_clip() -> None:
    sheet = load_sheet(str(SHARED / "end_before_start.yaml"))
    short, long = (even_timeline(length, Fraction(25)) for length in (3, 8))
    with pytest.raises(KeyframeError, match=r"end_before_start\.yaml:4:6: end: end 50% is 1\.5 s"):
        sheet.deltas(short, neutral(short))
    assert sheet.deltas(long, neutral(long)).active.any()


@pytest.mark.parametrize("how", ["ping_pong", "cycle"])
def test_default_keys_under_a_repeat_are_blenders(how: str) -> None:
    text = (SHARED / "pingpong_default.yaml").read_text().replace("ping_pong", how)
    clip = Timeline(np.array([0.25, 2.25 if how == "ping_pong" else 1.25]), 4.0, Fraction(25))
    found = parse_sheet(text, "p.yaml").deltas(clip, neutral(clip)).values[:, AU_COLUMN[12]]
    assert found == pytest.approx(
        [0.3125, 0.3125] if how == "ping_pong" else found[[0, 0]], abs=1e-4
    )


@pytest.mark.parametrize("tolerance", [0.5, 0.05, 0.002])
@pytest.mark.parametrize("name", ["fine_times.csv", "openface_2fps.csv", "llf_pct.csv"])
def test_what_convert_writes_loads_and_is_within_its_stated_error(
    tmp_path: Path, name: str, tolerance: float
) -> None:
    made = tmp_path / "made.yaml"
    convert(str(SHARED / name), Conversion(output=made, mode="absolute", tolerance=tolerance))
    table = read_table(SHARED / name)
    clip = Timeline(table.times_s, float(table.times_s[-1]) + 0.1, Fraction(60))
    found = load_sheet(str(made)).deltas(clip, neutral(clip)).values
    assert np.nanmax(np.abs(found - table.values)) <= tolerance + 1e-6
