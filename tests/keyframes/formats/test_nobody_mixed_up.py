"""Whose rows are read, and on which scale: chosen by name or refused, never guessed in silence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from keyframes.au import AU_COLUMN
from keyframes.errors import KeyframeError
from keyframes.formats.blendshapes.arkit import SHAPES
from keyframes.formats.recognise import read_table
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.people import follow_boxes

FEX = "frame,FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight,FaceScore,AU01,AU12,input,Identity"
FACE = "frame, face_id, timestamp, confidence, success, AU04_r, AU12_r"


def table(path: Path, header: str, rows: Sequence[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def smile(path: Path, **said: object) -> list[float]:
    return read_table(path, options=Options(**said)).values[:, AU_COLUMN[12]].tolist()  # type: ignore[arg-type]


def fex(frame: int, x: int, smiling: float, video: str = "a.mp4", person: str = "Person_0") -> str:
    return f"{frame},{x},50,100,100,0.99,0.2,{smiling},{video},{person}"


def test_several_videos_in_one_table_are_listed_or_chosen_by_name(tmp_path: Path) -> None:
    rows = [fex(f, 10, 0.2, "take/a.mp4") for f in range(3)]
    rows += [fex(f, 10, 0.8, "take/b.mp4") for f in range(3)]
    path = table(tmp_path / "fex.csv", FEX, rows)
    with pytest.raises(KeyframeError, match=r"2 videos \(take/a\.mp4, take/b\.mp4\); .* say clip"):
        read_table(path, options=Options(fps=30))
    assert smile(path, fps=30, clip="b.mp4") == pytest.approx([4, 4, 4])
    with pytest.raises(KeyframeError, match=r"no video 'c\.mp4'; known: take/a\.mp4, take/b\.mp4"):
        read_table(path, options=Options(fps=30, clip="c.mp4"))


def test_several_identities_are_listed_or_chosen_by_name(tmp_path: Path) -> None:
    rows = [fex(f, 10, 0.2, person="Ann") for f in range(3)]
    rows += [fex(f, 300, 0.8, person="Ben") for f in range(3)]
    path = table(tmp_path / "fex.csv", FEX, rows)
    with pytest.raises(KeyframeError, match=r"2 people \(Ann, Ben\); expected one, or say person"):
        read_table(path, options=Options(fps=30))
    assert smile(path, fps=30, person="Ben") == pytest.approx([4, 4, 4])


@pytest.mark.parametrize("together", [True, False])
def test_faces_that_alternate_are_followed_by_their_boxes(tmp_path: Path, together: bool) -> None:
    """Two people of about one size, the larger now here and now there; the boxes stay apart."""
    header = FEX.removesuffix(",input,Identity")
    rows: list[str] = []
    for frame in range(40):
        for who, (x, smiling) in enumerate(((10 + frame, 0.2), (400 - frame, 0.8))):
            size = 100 + (5 if (frame + who) % 2 else 0) + (1 if who == 0 else 0)
            if together or frame % 2 == who:
                rows.append(f"{frame},{x},50,{size},{size},0.99,0.2,{smiling}")
    path = table(tmp_path / "fex.csv", header, rows)
    for track, level in ((0, 1.0), (1, 4.0)):
        found = read_table(path, options=Options(fps=30, track=track))
        assert set(np.round(found.values[:, AU_COLUMN[12]], 6)) == {level}
        assert "2 faces by their boxes" in found.notes[0]
    with pytest.raises(KeyframeError, match="no face 2; known: 0, 1"):
        read_table(path, options=Options(fps=30, track=2))


def test_one_face_that_walks_through_the_picture_stays_one() -> None:
    times = np.arange(100) / 10
    boxes = np.stack(
        [np.arange(100.0) * 30, np.zeros(100), np.full(100, 80.0), np.full(100, 80.0)], axis=1
    )
    assert (follow_boxes(times, boxes) == 0).all()


def test_a_face_id_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    rows = [f"{i},{i % 2 + 1},{i // 2 / 25},0.98,1,0.2,{i % 2 + 1}" for i in range(20)]
    path = table(tmp_path / "of.csv", FACE, rows)
    with pytest.raises(KeyframeError, match="no rows of face_id 0; known: 1, 2; say track"):
        read_table(path)
    assert set(smile(path, track=2)) == {2.0}


def test_doubtful_rows_are_not_measured_and_counted(tmp_path: Path) -> None:
    rows = [f"{i},0,{i / 25},{0.3 if i == 4 else 0.98},1,0.2,2" for i in range(10)]
    path = table(tmp_path / "of.csv", FACE, rows)
    found = read_table(path)
    assert np.isnan(found.values[4]).all()
    assert np.isfinite(found.values[[3, 5], AU_COLUMN[12]]).all()
    assert "confidence below 0.75, taken for not measured: 1 of 10" in found.notes[0]
    assert np.isfinite(read_table(path, options=Options(confidence=0)).values[4, AU_COLUMN[12]])


@pytest.mark.parametrize("nan", ["-nan(ind)", "nan(ind)", "-1.#IND", "NA", "", "nan"])
def test_a_cell_that_was_not_measured_is_no_error(tmp_path: Path, nan: str) -> None:
    rows = ["1,0,0.00,0.98,1,0.2,1.5", f"2,0,0.04,0.00,0,{nan},{nan}", "3,0,0.08,0.98,1,0.3,2.5"]
    found = read_table(table(tmp_path / "of.csv", FACE, rows))
    assert np.isnan(found.values[1]).all()
    assert found.notes == ("of.csv (OpenFace): rows without a face: 1 of 3",)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("4,0,0.12,0.98,1,oops,2", "line 5: au04_r: got 'oops'; expected a number"),
        ("4,0,0.12,0.98,1,2", "line 5: 6 cells; expected 7 as in the header"),
        ("4,0,0.12,0.98,1,inf,2", "line 5: au04_r: got 'inf'; expected a number"),
        ("4,0,0.01,0.98,1,0.2,2", "line 5: timestamp: 0.01 s is not after the row before it"),
        ('4,0,0.12,0.98,1,"0.2,2', "line 5: au04_r: got '\"0.2'; expected a number"),
    ],
)
def test_one_bad_row_costs_that_row_and_is_counted(tmp_path: Path, bad: str, said: str) -> None:
    rows = [f"{i},0,{i / 25},0.98,1,0.2,2" for i in range(20)]
    rows[3] = bad
    found = read_table(table(tmp_path / "of.csv", FACE, rows))
    assert len(found.times_s) == 19
    assert any(said in note and "left out: 1, first in" in note for note in found.notes)


@pytest.mark.parametrize("case", ["x_0", "X_0"])
def test_columns_that_differ_by_case_alone_are_two(tmp_path: Path, case: str) -> None:
    header = FACE.replace("success", "success, x_0, X_0")
    path = table(tmp_path / "of.csv", header, ["1,0,0.00,0.98,1,310.1,-20.1,0.2,1.5"])
    assert smile(path) == [1.5]


def of_values(tmp_path: Path, values: Sequence[float]) -> Path:
    rows = [f"{i},0,{i / 25},0.98,1,0,{value}" for i, value in enumerate(values)]
    return table(tmp_path / "of.csv", FACE, rows)


def test_values_a_hundred_times_too_large_are_put_right_and_said(tmp_path: Path) -> None:
    found = read_table(of_values(tmp_path, [0, 150, 300, 450]))
    assert found.values[:, AU_COLUMN[12]].tolist() == pytest.approx([0, 1.5, 3, 4.5])
    assert "values to 450, beyond its scale (0 to 5); read as 0 to 500" in "; ".join(found.notes)


def test_values_that_could_be_two_scales_are_refused_with_the_way_out(tmp_path: Path) -> None:
    path = of_values(tmp_path, [0, 20, 60, 80])
    with pytest.raises(KeyframeError, match="say scale: 100 or scale: 500"):
        read_table(path)
    assert smile(path, scale=100) == pytest.approx([0, 1, 3, 4])
    assert smile(path, scale=500) == pytest.approx([0, 0.2, 0.6, 0.8])


@pytest.mark.parametrize(("values", "said"), [
    ([0, 1, 1, 0], "nothing but 0 and 1"),
    ([0.1, 0.5, 0.93, 0.2], "if 1 is full intensity there, say scale: 1"),
])  # fmt: skip
def test_scales_that_look_odd_are_said(tmp_path: Path, values: list[float], said: str) -> None:
    found = read_table(of_values(tmp_path, values))
    assert found.values[:, AU_COLUMN[12]].tolist() == pytest.approx(values)
    assert said in "; ".join(found.notes)


def test_intensities_in_a_table_of_shares_are_recognised(tmp_path: Path) -> None:
    path = table(tmp_path / "fex.csv", FEX, [fex(f, 10, 0.9 * f) for f in range(5)])
    found = read_table(path, options=Options(fps=30))
    assert found.values[:, AU_COLUMN[12]] == pytest.approx(0.9 * np.arange(5))
    assert "read as 0 to 5" in "; ".join(found.notes)


def test_blendshapes_in_percent_are_recognised(tmp_path: Path) -> None:
    rows = [
        f"{i / 60}," + ",".join("80" if "Smile" in s else "0" for s in SHAPES) for i in range(70)
    ]
    found = read_table(table(tmp_path / "b.csv", "time," + ",".join(SHAPES), rows))
    assert set(found.values[:, AU_COLUMN[12]]) == {4.0}
    assert "shapes to 80, beyond 1; read as percent" in "; ".join(found.notes)


def test_some_aus_of_a_table_are_taken_alone(tmp_path: Path) -> None:
    path = of_values(tmp_path, [1, 2, 3])
    assert read_table(path, options=Options(aus=(12,))).aus == (12,)
    with pytest.raises(KeyframeError, match="nothing measured of AU26; known: AU4, AU12"):
        read_table(path, options=Options(aus=(26,)))
