"""An editor of one's own: one file and one line, or no line at all; first class either way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engines import registry
from engines.registry import Line
from tests.jobs.conftest import SMILE, Animate
from tests.jobs.test_animate import pictures

TUNED = "tests.fakes:TunedEditor"
ROOT = Path(__file__).resolve().parents[2]
CALL = ("--curve", "smile2.yaml", "--input", "talk.mp4", "--weights", "tuned.bin")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "tuned.bin"
    path.write_bytes(bytes([40]))
    return path


def test_one_line_brings_its_options_into_help_report_and_digest(
    animate: Animate, weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(registry.EDITORS, "tuned", Line(TUNED))
    monkeypatch.setenv("COLUMNS", "200")
    shown = animate("--help").stdout
    assert "--darkening" in shown
    assert "tuned: of the darkening" in shown
    assert (
        "magicface: folder with the weights, `hub` to download them, or a hub id; tuned: one"
        in (" ".join(shown.replace("│", " ").split()))
    )
    made = animate(*CALL, "--editor", "tuned", "--darkening", "0.5")
    assert made.status == 0, made.stderr
    told = made.report["settings"]
    assert told["options"]["editor_options"]["darkening"] == 0.5
    editor = told["engines"]["editor"]
    assert editor["name"] == "tuned"
    assert editor["settings"] == {"weights": str(weights), "darkening": 0.5}
    assert editor["weights"]
    weights.rename("elsewhere.bin")
    same = animate(*CALL[:-1], "elsewhere.bin", "--editor", "tuned", "--darkening", "0.5")
    assert same.video["status"] == "skipped", "the same weights at another place"
    Path("elsewhere.bin").rename(weights)
    other = animate(*CALL, "--editor", "tuned", "--darkening", "0.25")
    assert other.status == 2
    assert "was not made by this curve and these settings" in other.stderr
    wrong = animate(*CALL, "--editor", "tuned", "--darkening", "2")
    assert (wrong.status, "--darkening: got" in wrong.stderr) == (2, True), wrong.stderr


def test_its_options_are_known_for_a_class_that_only_the_call_names(
    animate: Animate, weights: Path
):
    assert "--darkening" in animate("--editor", TUNED, "--help").stdout
    assert "--darkening" not in animate("--help").stdout
    refused = animate(*CALL, "--editor", "previz", "--darkening", "0.5")
    assert (refused.status, "--darkening" in refused.stderr) == (2, True)
    weights.unlink()
    refused = animate(*CALL, f"--editor={TUNED}", "--darkening", "0.5")
    assert refused.stderr == f"animate: editor '{TUNED}': no weights file tuned.bin\n"


def test_other_weights_at_the_same_path_make_another_film(animate: Animate, weights: Path):
    call = (*CALL, "--editor", TUNED)
    first = animate(*call)
    assert first.status == 0, first.stderr
    assert animate(*call).video["status"] == "skipped"
    (dim,) = pictures(Path("talk.smile2.mp4"), [20])
    weights.write_bytes(bytes([80]))
    refused = animate(*call)
    assert (refused.status, "pass --overwrite" in refused.stderr) == (2, True)
    again = animate(*call, "--overwrite")
    assert again.video["status"] == "done"
    (dark,) = pictures(Path("talk.smile2.mp4"), [20])
    darker = dim.astype(int) - dark
    assert 30 < np.percentile(darker[darker > 10], 50) < 50


@pytest.mark.parametrize(
    ("device", "gpus"),
    [
        ((), "0"),
        pytest.param(("--device", "cpu"), "none", marks=pytest.mark.slow),
    ],
)
def test_it_runs_in_an_actor_on_its_share_of_a_pretended_gpu(
    demo: Path, tmp_path: Path, weights: Path, device: tuple[str, ...], gpus: str
):
    (tmp_path / "smile2.yaml").write_text(SMILE)
    command = [sys.executable, str(ROOT / "jobs/animate.py"), "--curve", "smile2.yaml"]
    command += ["--input", str(demo), "--output", "out/", "--editor", TUNED]
    command += ["--weights", str(weights), "--darkening", "0.5", *device]
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "CUDA_"))}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**outside, "PYTHONPATH": str(ROOT), "RAY_OVERRIDE_RESOURCES": '{"GPU": 1}'},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ready = "made ready for 1 GPU nodes at darkening 0.5\n" in done.stdout
    assert ready == (gpus == "0")
    (video,) = json.loads((tmp_path / "out/report.json").read_text())["videos"]
    assert f"GPUs {gpus}: {video['edited_frames']} frames" in video["warnings"]
