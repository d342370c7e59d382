"""What the curve command says where something is not as it was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command_line.command import run_command
from jobs.curve import app
from keyframes.load import inspect_sheet


def curve(*arguments: str | Path) -> int:
    return run_command(app, [str(argument) for argument in arguments])


def test_a_timecode_curve_without_a_start_bakes_its_own_minute_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "reel.yaml"
    path.write_text("version: 1\nchannels: {AU12: [[01:00:02:00, 0], [01:00:05:00, 3]]}\n")
    out = tmp_path / "t.csv"
    assert curve("bake", path, "--output", out) == 0
    assert "counted from 01:00:00:00" in capsys.readouterr().err
    assert len(out.read_text().splitlines()) == 1 + 6 * 25
    assert (
        curve("bake", path, "--output", out, "--overwrite", "--start-timecode", "01:00:02:00") == 0
    )
    assert capsys.readouterr().err == ""
    assert curve("lint", path) == 0
    assert "counted from 01:00:00:00" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "close"),
    [
        ("version: 1\nuse: smille\n", "did you mean smile?"),
        ("version: 1\nuse: smile\nlayrs: []\n", "did you mean layers?"),
        ("version: 1\nuse: smile\nmode: absolut\n", "did you mean absolute?"),
        ("version: 1\nchannels: {AU12: [[0, 1, linar]]}\n", "did you mean linear?"),
        ("version: 1\nchannels: {AU12: {keys: [[0, 1]], aftr: hold}}\n", "did you mean after?"),
        ("version: 1\nimport: {file: x.csv, format: openfac}\n", "did you mean openface?"),
    ],
)
def test_a_misspelt_word_names_the_nearest(text: str, close: str) -> None:
    _, problems = inspect_sheet(text, "bad.yaml")
    assert any(close in str(problem) for problem in problems)


def test_a_table_given_where_a_curve_is_expected_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "take.csv"
    table.write_text("timestamp,AU12_r\n0,1\n1,2\n")
    assert curve("bake", table, "--output", tmp_path / "t.csv") == 2
    said = capsys.readouterr().err
    assert "a table (openface), not a curve file; write import: take.csv" in said
    assert f"convert {table} --output take.yaml" in said
    assert curve("lint", table) == 1
    assert "not a curve file" in capsys.readouterr().out


def test_an_error_in_an_imported_file_names_that_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "take.csv").write_text("timestamp,AU12_r\n0,1\n0,2\n")
    (tmp_path / "mine.yaml").write_text("version: 1\naus:\n  AU12: {MouthSmirk: 1}\n")
    (tmp_path / "face.csv").write_text("time," + ",".join(f"MouthSmile{s}" for s in "LR") + "\n")
    for imported, said in (
        ("take.csv", "take.csv:3: timestamp"),
        ("{file: face.csv, format: blendshapes, table: mine.yaml}", "face.csv:1"),
    ):
        text = f"version: 1\nimport: {imported}\n"
        _, problems = inspect_sheet(text, "a.yaml", folder=tmp_path)
        assert str(problems[0]).startswith("a.yaml:2:")
        assert said in str(problems[0])


def test_a_plot_without_footage_says_assumed_and_long_ones_count_minutes(tmp_path: Path) -> None:
    path, drawn = tmp_path / "a.yaml", tmp_path / "a.svg"
    path.write_text("version: 1\nmode: absolute\nchannels: {AU12: [[0, 0], [280s, 3]]}\n")
    assert curve("plot", path, "--output", drawn) == 0
    picture = drawn.read_text()
    assert "assumed (2)" in picture
    assert "measured" not in picture
    assert "minutes:seconds" in picture
    window = ("--from", "1:50.0", "--to", "130s", "--overwrite")
    assert curve("plot", path, "--output", drawn, *window) == 0
    assert all(tick in drawn.read_text() for tick in (">1:50<", ">2:00<", ">2:10<"))
    measured = tmp_path / "m.csv"
    measured.write_text("time_s,AU12\n0,1\n1,2\n")
    assert curve("plot", path, "--output", drawn, "--measured", measured, "--overwrite") == 0
    assert ">measured<" in drawn.read_text()


def test_a_window_that_ends_before_it_starts_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.svg"
    assert curve("plot", "smile", "--output", out, "--from", "3s", "--to", "1s") == 2
    assert "expected the end after the start" in capsys.readouterr().err
