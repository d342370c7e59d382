"""The curve command: what it prints and writes, and how it ends."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from jobs.command_line.command import run_command
from jobs.curve import app
from keyframes.formats.recognise import TABLE_FORMATS, read_table
from keyframes.load import load_sheet

ROOT = Path(__file__).resolve().parents[2]
BAD = """version: 1
channels:
  AU13: [[0, 1]]
  AU12:
    - [0, 0]
    - [1, 3, sinee]
    - {time: 2s, value: R12A}
"""


def curve(*arguments: str | Path) -> int:
    return run_command(app, [str(argument) for argument in arguments])


def test_it_runs_as_a_file_from_anywhere_without_installation(tmp_path: Path) -> None:
    script = str(ROOT / "jobs" / "curve.py")
    command = [sys.executable, "-I", script, "bake", "smile.yaml"]
    command += ["--fps", "30000/1001", "--duration", "3", "--output", "t.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == "time_s,AU1,AU2,AU4,AU5,AU6,AU9,AU12,AU15,AU17,AU20,AU25,AU26"
    assert len(lines) == 1 + 90
    assert float(lines[2].split(",")[0]) == pytest.approx(1001 / 30000, abs=1e-6)


def test_lint_names_every_problem_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    assert curve("lint", path, "smile") == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{path}:3:3: channels.AU13: unknown AU 13; known: 1, 2, 4,")
    assert printed[1].startswith(f"{path}:6:14: channels.AU12[1][2]: got 'sinee'; known:")
    assert printed[2].startswith(f"{path}:7:25: channels.AU12[2].value: one-sided code 'R12A'")
    assert printed[3:] == ["smile: fine"]


def test_lint_checks_on_a_clip_what_only_a_clip_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "drop.yaml"
    path.write_text("version: 1\nchannels:\n  AU12:\n    - [0, 0]\n    - [00:00:02;12, 30]\n")
    assert curve("lint", path) == 1
    assert f"{path}:5:7: channels.AU12[1]: drop-frame" in capsys.readouterr().out
    assert curve("lint", path, "--fps", "29.97") == 0
    out = capsys.readouterr().out
    assert "warning: AU12: 30 asked for, clamped to 10" in out
    assert f"{path}: fine, 1 warnings" in out


def test_plot_and_bake_write_what_they_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix in (".png", ".svg", ".html"):
        path = tmp_path / f"smile{suffix}"
        assert curve("plot", "smile", "--output", path) == 0
        assert path.stat().st_size > 5000
        assert capsys.readouterr().out.strip() == str(path)
    assert curve("bake", "smile", "--output", tmp_path / "t.parquet") == 0
    table = read_table(tmp_path / "t.parquet")
    assert len(table.times_s) == 150
    assert table.values.max() == pytest.approx(3.0)


@pytest.mark.parametrize("face", [(), ("--face", "lead")])
def test_a_curve_for_a_named_face_can_be_baked(tmp_path: Path, face: tuple[str, ...]) -> None:
    (tmp_path / "lead.jpg").write_bytes(b"a picture")
    sheet, baked = tmp_path / "named.yaml", tmp_path / "t.csv"
    sheet.write_text("version: 1\nfaces: {lead: lead.jpg}\nchannels: {AU12: [[0, 2], [end, 2]]}\n")
    made = ("--fps", "25", "--duration", "1", "--output", baked)
    assert curve("bake", sheet, *face, *made) == 0
    assert set(read_table(baked).values[:, 6]) == {2.0}


def test_a_curve_can_be_baked_on_measured_frames(tmp_path: Path) -> None:
    (tmp_path / "measured.csv").write_text("time_s,AU12\n0,1\n0.05,2\n0.2,3\n")
    (tmp_path / "soft.yaml").write_text(
        "version: 1\nmode: neutralise\npose: {AU12: 1}\nonset: 0\noffset: 0\n"
    )
    out = tmp_path / "t.csv"
    measured = ("--measured", tmp_path / "measured.csv", "--output", out)
    assert curve("bake", tmp_path / "soft.yaml", *measured) == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["AU12"]) for row in rows[:2]] == [-1, -2]
    assert float(rows[1]["time_s"]) == 0.05


def test_a_table_converts_to_a_curve_and_back_within_tolerance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = [i / 30 for i in range(120)]
    rows = [f"{t:.5f},1,{2 * abs((t % 2) - 1):.4f},3.0" for t in times]
    (tmp_path / "of.csv").write_text("timestamp,success,AU12_r,AU45_r\n" + "\n".join(rows) + "\n")
    sheet, baked = tmp_path / "of.yaml", tmp_path / "of_again.csv"
    assert curve("convert", tmp_path / "of.csv", "--output", sheet, "--mode", "absolute") == 0
    assert "its eyes shut; left to the actor" in capsys.readouterr().err
    assert len(load_sheet(str(sheet)).layers[0].resolved()["channels"]["AU12"]["keys"]) < 12
    assert curve("bake", sheet, "--fps", "30", "--duration", "4", "--output", baked) == 0
    got = read_table(baked).values[:, 6]
    assert got == pytest.approx([2 * abs((t % 2) - 1) for t in times], abs=0.051)


def test_a_curve_goes_out_as_live_link_and_openface_and_comes_back(tmp_path: Path) -> None:
    for kind in ("livelink", "openface"):
        path = tmp_path / f"{kind}.csv"
        call = ("convert", "surprise", "--to", kind, "--output", path, "--fps", "24")
        assert curve(*call) == 0
        table = read_table(path)
        assert len(table.times_s) == 144
        assert table.times_s[1] == pytest.approx(1 / 24, abs=1e-3)
        assert table.values[72, 0] == pytest.approx(4.0, abs=0.01)
        assert table.values[72, 3] == pytest.approx(3.0, abs=0.01)


def test_the_schema_is_a_schema_and_the_presets_fit_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert curve("schema") == 0
    Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))
    assert curve("presets") == 0
    assert "smile" in capsys.readouterr().out
    assert curve("presets", "anger") == 0
    assert "not_in_model: [7, 23]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lint", "none.yaml"), "none.yaml: no such curve file; presets: anger"),
        (("bake", "smile"), "--output"),
        (("bake", "smile", "--output", "x.txt"), "suffix '.txt'; known: .csv"),
        (("bake", "smile", "--output", "t.csv", "--fps", "x"), "frame rate 'x'; known: 25"),
        (("bake", "smile", "--output", "t.csv", "--fps", "0"), "expected above 0"),
        (("bake", "smile", "--output", "t.csv", "--duration", "-1"), "got -1 s"),
        (("bake", "smile", "--output", "t.csv", "--duration", "nan"), "got nan s"),
        (("bake", "smile", "--output", "t.csv", "--start-timecode", "1"), "expected HH:MM:SS:FF"),
        (("bake", "smile", "--output", "no/such/t.csv"), "cannot be written"),
        (("plot", "smile", "--output", "x.gif"), "known: .png, .svg, .html"),
        (("convert", "none.csv", "--output", "x.yaml"), "none.csv: no such file"),
        (("convert", "smile", "--output", "x.yaml"), "is a curve file already"),
        (("convert", "none.otio", "--output", "x.csv"), "becomes a curve file"),
        (("convert", "smile", "--output", "x.bin"), "suffix '.bin'; known: .yaml"),
        (("presets", "grin"), "no preset 'grin'; known: anger"),
        (("bake", "smile", "--output", "t.csv", "--face", "-1"), "--face -1: the curve asks"),
        (("bake", "smile", "--output", "t.csv", "--face", "7"), "known: 0"),
        (("bake", "smile", "--output", "t.csv", "--track", "x"), "curve bake: --track: got 'x'"),
        (("dance",), "Unknown command"),
        (("bake", "video.yaml", "--output", "t.csv"), "measured by jobs/animate.py"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("video.yaml").write_text("version: 1\nimport: {video: drive.mp4}\n")
    assert curve(*arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


def test_a_reader_that_leaves_early_hears_no_complaint() -> None:
    script = ROOT / "jobs" / "curve.py"
    command = f"{sys.executable} {script} schema | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert len(done.stdout) == 10
    assert done.stderr == ""


def test_an_output_that_exists_is_kept_unless_told_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("mine")
    assert curve("bake", "smile", "--output", path) == 2
    assert "exists; pass --overwrite" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert curve("bake", "smile", "--output", path, "--overwrite") == 0
    assert path.read_text().startswith("time_s,")


def test_every_format_that_is_recognised_can_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "t.csv"
    source.write_text("nothing\n")
    for name in TABLE_FORMATS:
        assert curve("convert", source, "--output", tmp_path / "t.yaml", "--format", name) == 2
        assert "--format" not in capsys.readouterr().err, "the file is what is wrong, not the name"
    assert curve("convert", source, "--output", tmp_path / "t.yaml", "--format", "flivelink") == 2
    assert "--format 'flivelink': known: auto, " in capsys.readouterr().err
