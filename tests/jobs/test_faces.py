"""`aureel faces`, and a curve that names somebody by a picture from its sheet."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from jobs.animate import app as animate_app
from jobs.command_line.command import run_command
from jobs.faces import app

CURVE = """\
version: 1
faces: {lead: talk.faces/talk.shot1.face0.jpg}
channels: {AU12: [[0s, 0], [0.6s, 3], [1.4s, 3], [1.8s, 0]]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_picture_of_the_sheet_names_a_person_in_a_run_and_its_report(
    ray_here: None, demo: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy2(demo, "talk.mp4")
    assert run_command(app, ["talk.mp4"]) == 0
    (face,) = json.loads(Path("talk.faces/faces.json").read_text())["faces"]
    assert (face["shot"], face["face"], face["frames"], face["end_s"]) == (1, 0, 50, 1.96)
    assert f"open first: {here}/talk.faces/sheet.html" in capsys.readouterr().out
    assert run_command(app, ["talk.mp4"]) == 2
    assert "pass --overwrite" in capsys.readouterr().err

    Path("lead.yaml").write_text(CURVE)
    told = ("--curve", "lead.yaml", "--input", "talk.mp4", "--editor", "previz")
    assert run_command(animate_app, told) == 0
    (video,) = json.loads(Path("report.json").read_text())["videos"]
    (line,) = video["people"]
    assert line.startswith("lead is face 0 of shot 1, 0.00–1.96 s (distance 0.")
    assert f"face: {line}" in capsys.readouterr().out
    assert video["edited_frames"] > 30


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "got no clip; expected CLIP"),
        (("gone.mp4",), "gone.mp4"),
        (("there.mp4", "--curve", "blank.yaml"), "faces: lead: "),
        (("there.mp4", "--output", "taken"), "taken"),
    ],
)
def test_a_wrong_call_gets_one_line_and_leaves_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    Path("there.mp4").write_bytes(b"never read")
    Path("taken").write_text("a file")
    cv2.imwrite("blank.jpg", np.full((200, 200, 3), 90, np.uint8))
    Path("blank.yaml").write_text("version: 1\nfaces: {lead: blank.jpg}\nuse: smile\n")
    before = sorted(here.rglob("*"))
    assert run_command(app, arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.strip().splitlines()) == 1
    assert sorted(here.rglob("*")) == before
