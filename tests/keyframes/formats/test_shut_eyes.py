"""Shut eyes out of tables: taken where they are named, left to the actor where not."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyframes.au import AUIntensity
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.formats.recognise import read_table
from keyframes.formats.rows.options import Options
from keyframes.load import load_sheet
from tests.keyframes.formats.test_tables import OPENFACE, live_link, write_csv

CLIP = Timeline(np.arange(11) / 25, 0.44, Fraction(25))


def openface(path: Path) -> Path:
    shut = [0, 0, 0, 0, 0, 5, 5, 0, 0, 0, 0]
    rows = [f"{n}, 0, {n / 25:.2f}, 0.98, 1, 0.5, 1.0, {v}, 1" for n, v in enumerate(shut)]
    return write_csv(path, OPENFACE, rows)


def lids_of(folder: Path, said: str) -> np.ndarray:
    (folder / "c.yaml").write_text(f"version: 1\nimport: {{{said}}}\n")
    return load_sheet(str(folder / "c.yaml")).deltas(CLIP, AUIntensity.level(11)).lids


def test_a_blink_of_openface_shuts_both_eyes_where_au45_is_named(tmp_path: Path) -> None:
    openface(tmp_path / "of.csv")
    lids = lids_of(tmp_path, "file: of.csv, aus: [12, 45]")
    assert lids[5].tolist() == [5, 5]
    assert not lids[[0, 3, 9]].any()
    half = lids_of(tmp_path, "file: of.csv, aus: [AU43L], gain: {43: 0.5}")
    assert half[5].tolist() == [0, 2.5]
    assert not lids_of(tmp_path, "file: of.csv").any()
    assert load_sheet(str(tmp_path / "c.yaml")).shuts_eyes is False
    table = read_table(tmp_path / "of.csv")
    assert any("its eyes shut; left to the actor" in note for note in table.notes)


def test_a_curve_that_takes_shut_eyes_says_that_its_editor_must_draw_them(tmp_path: Path) -> None:
    openface(tmp_path / "of.csv")
    (tmp_path / "c.yaml").write_text("version: 1\nimport: {file: of.csv, aus: [43]}\n")
    sheet = load_sheet(str(tmp_path / "c.yaml"))
    assert sheet.shuts_eyes
    (tmp_path / "c.yaml").write_text("version: 1\nimport: {file: of.csv, aus: [12]}\n")
    other = load_sheet(str(tmp_path / "c.yaml"))
    assert (other.shuts_eyes, other.digest == sheet.digest) == (False, False)


def test_each_eye_of_a_blendshape_app_is_its_own(tmp_path: Path) -> None:
    table = read_table(live_link(tmp_path / "take.csv", 61), options=Options(aus=(43,)))
    assert table.lids is not None
    assert table.lids[-1] == pytest.approx([0.0, 4.5], abs=1e-4)
    assert table.aus == ("43R", "43L")


def test_an_analysis_table_gives_its_lids(tmp_path: Path) -> None:
    rows = [f"{n / 25},{n % 3},0,{n % 5}" for n in range(11)]
    path = write_csv(tmp_path / "a.csv", "time_s,AU12,AU43R,AU43L", rows)
    table = read_table(path, options=Options(aus=(12, "43L")))
    assert table.lids is not None
    assert table.lids[:, 1].tolist() == [n % 5 for n in range(11)]
    assert np.isnan(table.lids[:, 0]).all()


def test_a_table_without_lids_says_what_it_has(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "time_s,AU12", [f"{n / 25},1" for n in range(11)])
    with pytest.raises(KeyframeError, match="nothing measured of AU43; known: AU12"):
        read_table(path, options=Options(aus=(43,)))
