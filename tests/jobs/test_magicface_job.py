"""The whole job with MagicFace on the demo's clip; golden (tiny, random) weights: it paints noise.

The path is the real one: checkpoint → registry → actor → micro-batcher → networks → paste → encode.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import inspect_video
from tests.jobs.conftest import Animate

pytest.importorskip("torch")
pytest.importorskip("diffusers")

BLINK_LONG = "version: 1\nchannels:\n  AU12: [[0.2s, 0], [0.3s, 3], [0.5s, 3], [0.6s, 0]]\n"


def luma(path: Path, number: int) -> np.ndarray:
    seen = inspect_video(str(path))
    frame = next(iter(decode_range(str(path), seen.info, seen.index, number, number)))
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def test_golden_weights_run_the_whole_job(animate: Animate, shared: Path):
    Path("short.yaml").write_text(BLINK_LONG)
    run = animate(
        *("--curve", "short.yaml", "--input", "talk.mp4", "--editor", "magicface"),
        *("--weights", str(shared / "golden/magicface"), "--steps", "2", "--batch", "2"),
        *("--backend", "eager", "--device", "cpu", "--plot"),
    )
    assert run.status == 0, run.stdout + run.stderr
    video = run.video
    assert video["edited_frames"] >= 5
    assert any("mask" in warning for warning in video["warnings"]), video["warnings"]
    engine = run.report["settings"]["engines"]["editor"]
    assert engine["name"] == "magicface"
    assert engine["weights"]
    before, after = inspect_video("talk.mp4"), inspect_video("talk.short.mp4")
    assert after.times_s.tolist() == before.times_s.tolist()
    middle = int(np.searchsorted(before.times_s, 0.4))
    changed = np.abs(
        luma(Path("talk.mp4"), middle).astype(int) - luma(Path("talk.short.mp4"), middle)
    )
    assert (changed > 12).mean() > 0.01, "an edited frame must look different"
    assert (changed > 12).mean() < 0.6, "and only in the face"
    assert Path("talk.short.frames.png").is_file()
    header = Path("talk.short.curves.csv").read_text().splitlines()[0]
    assert header.startswith("time_s,AU1_requested,AU1_measured,AU1_achieved")


def test_a_dry_run_says_which_plans_a_run_would_use(animate: Animate, shared: Path):
    call = ("--curve", "smile", "--input", "talk.mp4", "--editor", "magicface", "--device", "cpu")
    run = animate(*call, "--weights", str(shared / "golden/magicface"), "--dry-run")
    assert run.status == 0, run.stderr
    (row,) = (line for line in run.stdout.splitlines() if " plans " in line)
    assert "none wanted: auto: no CUDA GPU on this machine" in row


def test_magicface_without_weights_says_what_is_missing(animate: Animate):
    run = animate("--curve", "smile", "--input", "talk.mp4", "--editor", "magicface")
    assert run.status == 2
    assert "ID_enc" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_a_folder_that_holds_no_magicface_is_refused_by_name(animate: Animate, tmp_path: Path):
    (tmp_path / "weights").mkdir()
    run = animate(
        *("--curve", "smile", "--input", "talk.mp4", "--editor", "magicface"),
        *("--weights", str(tmp_path / "weights")),
    )
    assert run.status == 2
    assert "weights" in run.stderr
    assert "Traceback" not in run.stderr
