"""`stimuli`, called as a user calls it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from jobs.command_line.command import run_command
from jobs.stimuli import app


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = run_command(app, ("--output", "s", *arguments))
    out, err = capsys.readouterr()
    return status, out, err


def test_stimuli_are_made_once_with_manifest_frames_and_a_paragraph(
    ray_here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    asked = ("--people", "1", "--aus", "12,1+4", "--levels", "C", "--editor", "previz",
             "--timing", "onset=80ms,apex=80ms,offset=80ms")  # fmt: skip
    status, out, err = call(capsys, *asked)
    assert status == 0, err
    assert "1 people × 3 stimuli" in out
    with Path("s/manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["aus"] for row in rows] == ["neutral", "12", "1+4"]
    assert [row["file"] for row in rows] == [
        "drawn00/neutral.mp4", "drawn00/AU12=C.mp4", "drawn00/AU1=C+AU4=C.mp4",
    ]  # fmt: skip
    assert float(rows[1]["achieved_at_apex"]) > 1.0
    with Path("s/frames.csv").open() as file:
        frames = list(csv.DictReader(file))
    assert len(frames) == 3 * 6
    assert {row["seed"] for row in rows} == {"424"}
    assert "editor previz; seed 424" in Path("s/methods.txt").read_text()
    told = json.loads(Path("s/stimuli.json").read_text())
    assert told["stimuli"][1]["curve"].startswith("version: 1")
    gone = Path("s/drawn00/AU12=C.mp4")
    same = gone.read_bytes()
    gone.unlink()
    status, out, err = call(capsys, *asked)
    assert status == 0, err
    assert "2 of 3 shares are there already" in out
    assert gone.read_bytes() == same
    status, _, err = call(capsys, *asked, "--seed", "1")
    assert (status, "pass --overwrite" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--aus", "3"), "--aus"),
        (("--aus", "1+3"), "no unit 3"),
        (("--timing", "onset=1s"), "apex, offset is missing"),
        (("--fps", "0"), "frame rate"),
        (("--form", "film"), "--form"),
        (("--levels", ""), "--levels: got nothing"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, arguments: tuple[str, ...], says: str
):
    monkeypatch.chdir(tmp_path)
    status, _, err = call(capsys, *arguments)
    assert status == 2
    assert says in err
    assert err.count("\n") == 1
    assert not Path("s").exists()
