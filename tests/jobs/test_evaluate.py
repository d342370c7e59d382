"""`evaluate`, and `animate --qa`, called as a user calls them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.choice import unavailable_reason
from jobs.command_line.command import run_command
from jobs.evaluate import app
from jobs.evaluation.judges import judging_estimator
from tests.jobs.conftest import Animate

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def evaluate(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run_command(app, arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return call


def test_a_run_judges_its_own_outputs_and_a_later_call_says_the_same(
    animate: Animate, evaluate: Call
):
    run = animate(
        *("--curve", "smile2.yaml", "--input", "talk.mp4", "--editor", "previz", "--qa"),
    )
    assert run.status == 0, run.stderr
    page = run.folder / "talk.smile2.qa.html"
    assert f"verdict: {page}" in run.stdout
    told = json.loads(page.with_suffix(".json").read_text())
    assert (told["editor"], told["self_measured"]) == ("previz", told["estimator"] == "mesh")
    assert [unit["au"] for unit in told["units"]] == [12]
    assert run.video["stages"]["qa"] > 0
    pair = ("talk.mp4", "talk.smile2.mp4", "--curve", "smile2.yaml", "--made-by", "previz")
    status, out, err = evaluate(*pair, "--preset-encode", "veryfast", "--html", "again.html")
    assert status == (1 if told["warnings"] else 0), err
    assert "AU12 lip corner puller" in out
    again = json.loads(Path("again.json").read_text())
    assert again["units"] == told["units"]
    assert again["identity"] == told["identity"]
    status, out, err = evaluate("--run", "report.json", "--html", "all/report.html")
    assert status == 0, err
    assert f"verdict: {page}" in out


def test_several_outputs_get_an_index_also_later_and_with_a_driving_video(
    animate: Animate, evaluate: Call
):
    shutil.copy2("talk.mp4", "second.mp4")
    shutil.copy2("talk.mp4", "actor.mp4")
    Path("drive.yaml").write_text("version: 1\nimport: {video: actor.mp4}\n")
    run = animate(
        *("--curve", "drive.yaml", "--input", "talk.mp4", "second.mp4"),
        *("--output", "out/", "--editor", "identity", "--qa"),
    )
    assert run.status == 0, run.stderr
    index = (run.folder / "out" / "qa.html").read_text()
    assert "talk.drive.qa.html" in index
    assert "second.drive.qa.html" in index
    told = Path("out/talk.drive.qa.json")
    first = json.loads(told.read_text())
    assert first["units"], "the driving video asks for something"
    told.unlink()
    status, _, err = evaluate("--run", "out/report.json")
    assert status == 0, err
    again = json.loads(told.read_text())
    assert again["units"] == first["units"]
    assert again["planner"] == first["planner"] == "mesh"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "expected SOURCE and OUTPUT"),
        (("talk.mp4",), "expected SOURCE and OUTPUT"),
        (("talk.mp4", "gone.mp4"), "gone.mp4: no such file"),
        (("talk.mp4", "talk.mp4", "--html", "x.pdf"), "ending in .html"),
        (("--run", "smile2.yaml"), "got no report of a run"),
        (("talk.mp4", "talk.mp4", "--face", "7"), "face 7: not found; known: [0]"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(
    animate: Animate, evaluate: Call, arguments: tuple[str, ...], says: str
):
    status, _, err = evaluate(*arguments)
    assert status == 2
    assert says in err
    assert err.count("\n") == 1


def test_libreface_is_the_judge_where_its_weights_are(tmp_path: Path):
    pytest.importorskip("torch")
    weights = tmp_path / "combined_resnet.pt"
    weights.write_bytes(b"weights")
    chosen = judging_estimator(settings={"weights": str(weights)})
    assert (chosen.name, chosen.settings["weights"]) == ("libreface", str(weights))
    if unavailable_reason("AU estimator", "libreface", {}) is not None:
        without = judging_estimator()
        assert without.name == "mesh"
        assert "not libreface" in without.reason
