"""`evaluate protocol`, called as a user calls it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.command_line.command import run_command
from jobs.evaluate import app
from tests.jobs.killing import ROOT, environment_with, kill_when

Call = Callable[..., tuple[int, str, str]]
SMALL = ("--people", "2", "--aus", "12", "--levels", "C", "--combinations", "2")


@pytest.fixture
def protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run_command(app, ("protocol", *arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return call


def test_a_part_of_the_protocol_with_the_preview_on_drawn_people(ray_here: None, protocol: Call):
    call = ("--output", "p", "--editor", "previz", *SMALL)
    status, out, err = protocol(*call)
    assert status == 0, err
    assert "2 people × 3 edits: 12 stills" in out
    told = json.loads(Path("p/protocol.json").read_text())
    assert [result["mode"] for result in told["results"]] == ["delta", "target"]
    for result in told["results"]:
        assert result["summary"]["all"]["stills"] == 6
        assert result["summary"]["all"]["faceless"] == 0
        assert result["summary"]["by_unit"]["AU12"]["read"] > 0.5
    assert told["combinations"]["taken"] == 2
    with Path("p/protocol.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert {row["AU12_asked"] for row in rows if row["cell"] == "AU12=C"} >= {"3.0"}
    page = Path("p/protocol.html").read_text("utf-8")
    for words in ("0.261", "0.473", "0.044", "0.032", "Self-measured", "aureel-387", "FLAME"):
        assert words in page
    shares = {path: path.stat().st_mtime_ns for path in Path("p/_work").glob("drawn*.json")}
    gone = min(shares)
    gone.unlink()
    status, out, err = protocol(*call)
    assert status == 0, err
    assert "1 of 2 shares are there already" in out
    after = {path: path.stat().st_mtime_ns for path in Path("p/_work").glob("drawn*.json")}
    assert [path for path in shares if after[path] != shares[path]] == [gone]
    assert json.loads(Path("p/protocol.json").read_text())["results"] == told["results"]
    status, _, err = protocol(*call, "--seed", "7")
    assert status == 2
    assert "pass --overwrite" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--aus", "1,3"), "--aus 1,3: no unit 3; known: 1, 2, 4"),
        (("--levels", "A..F"), "got 'F'; expected A, B, C, D, E"),
        (("--levels", "C..A"), "runs backwards"),
        (("--identities", "gone/"), "--identities gone/: no such folder"),
        (("--combinations", "388"), "--combinations: got"),
        (("--editor", "previz", "--sweep", "1.5"), "--sweep: the editor previz has no guidance"),
        (("--editor", "nobody"), "nobody"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(protocol: Call, arguments: tuple[str, ...], says: str):
    status, _, err = protocol("--output", "p", *arguments)
    assert status == 2
    assert says in err
    assert err.count("\n") == 1
    assert not Path("p").exists()


@pytest.mark.slow
def test_magicface_goes_the_same_way_and_is_swept_over_guidance(
    ray_here: None, protocol: Call, tmp_path: Path
):
    """Tiny random weights: they paint noise, on the real way."""
    pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from tests.engines.editors.magicface.tiny import make_weights

    make_weights(tmp_path / "weights")
    status, out, err = protocol(
        *("--output", "p", "--editor", "magicface", "--weights", "weights", "--steps", "1"),
        *("--batch", "2", "--device", "cpu", "--backend", "eager", "--level-as", "delta"),
        *("--sweep", "1.5", "3", *SMALL),
    )
    assert status == 0, out + err
    told = json.loads(Path("p/protocol.json").read_text())
    assert [result["guidance"] for result in told["results"]] == [1.5, 3.0]
    figures = [result["summary"]["all"] for result in told["results"]]
    assert [one["stills"] for one in figures] == [6, 6]
    assert figures[0]["identity"] != figures[1]["identity"], "guidance reaches the networks"
    page = Path("p/protocol.html").read_text("utf-8")
    assert "Table IV" in page
    assert "0.333" in page


@pytest.mark.slow
def test_checkpoints_of_a_training_run_go_the_same_way_one_after_the_other(
    ray_here: None, protocol: Call, tmp_path: Path
):
    pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from tests.engines.editors.magicface.tiny import make_weights

    for step in (20, 100):
        folder = make_weights(tmp_path / f"run/step-{step:08d}", seed=step)
        facts = {"step": step, "recipe": {}, "pairs": "", "provenance": {}}
        (folder / "training.json").write_text(json.dumps(facts))
    (tmp_path / "run/step-00000200").mkdir()  # not whole
    status, out, err = protocol(
        *("--output", "p", "--checkpoints", "run", "--steps", "1", "--batch", "2"),
        *("--device", "cpu", "--backend", "eager", "--level-as", "delta", *SMALL),
    )
    assert status == 0, out + err
    told = json.loads(Path("p/protocol.json").read_text())
    assert [result["checkpoint"] for result in told["results"]] == [20, 100]
    figures = [result["summary"]["all"] for result in told["results"]]
    assert figures[0]["identity"] != figures[1]["identity"], "each has its own weights"
    with Path("p/checkpoints.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["checkpoint"], row["stills"]) for row in rows] == [("20", "6"), ("100", "6")]
    assert float(rows[1]["identity"]) == figures[1]["identity"]
    assert Path("p/checkpoints.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--checkpoints", "run"), "--checkpoints run: no step-…; expected the output folder"),
        (("--checkpoints", "run", "--sweep", "1.5"), "--checkpoints and --sweep: give one"),
        (("--checkpoints", "run", "--weights", "w"), "--checkpoints and --weights: give one"),
        (("--checkpoints", "run", "--editor", "previz"), "are of magicface; got --editor previz"),
    ],
)
def test_checkpoints_that_are_none_or_not_alone_are_refused(
    protocol: Call, arguments: tuple[str, ...], says: str
):
    pytest.importorskip("torch")
    status, _, err = protocol("--output", "p", *arguments)
    assert status == 2
    assert says in err
    assert not Path("p").exists()


@pytest.mark.slow
def test_a_killed_protocol_goes_on_from_its_shares(tmp_path: Path, protocol: Call):
    call = ("--output", str(tmp_path / "p"), "--editor", "previz", "--people", "6",
            "--level-as", "delta", "--combinations", "60")  # fmt: skip
    work = tmp_path / "p/_work"
    command = [sys.executable, str(ROOT / "jobs/evaluate.py"), "protocol"]

    def begun() -> bool:
        return len(list(work.glob("drawn*.json"))) >= 2

    kill_when(call, environment_with(tmp_path / "marks"), begun, command)
    kept = {path: path.stat().st_mtime_ns for path in work.glob("drawn*.json")}
    assert 2 <= len(kept) < 12
    assert not (tmp_path / "p/protocol.json").exists()
    status, out, err = protocol(*call)
    assert status == 0, err
    assert f"{len(kept)} of 12 shares are there already" in out
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    told = json.loads((tmp_path / "p/protocol.json").read_text())
    assert told["results"][0]["summary"]["all"]["stills"] == 6 * 120
    assert not list(work.rglob(".aureel-*")), "no litter"
