"""The benchmark's commands run and print figures of both sides; nothing here is timed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.benchmark import app
from jobs.benchmarks import long
from jobs.command_line.command import run_command

ROOT = Path(__file__).resolve().parents[2]


def test_the_pipeline_is_measured_against_its_floor(ray_here, demo: Path, capsys):
    assert run_command(app, ["pipeline", "--input", str(demo), "--rounds", "1"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["frames"] == 50
    both = figures["cpu_ms_per_frame"]
    assert both["floor"] > 1
    assert both["render_and_finish"] > 1
    assert figures["ratio_to_floor"] == pytest.approx(
        both["render_and_finish"] / both["floor"], rel=0.02
    )
    readers = figures["cpu_ms_per_frame_read_for_analysis"]
    assert readers["frames"] == 50
    assert readers["av"] > 0
    if importlib.util.find_spec("decord"):
        ratio = readers["av"] / readers["decord"]
        assert readers["gain_of_decord"] == pytest.approx(ratio, rel=0.05)
    else:
        assert "aureel[decord]" in readers["decord"]
    assert figures["previz_cold_start"]["clip_seconds"] == pytest.approx(2.0, abs=0.1)


def test_magicface_is_measured_both_ways(shared: Path, capsys):
    pytest.importorskip("diffusers")
    golden = str(shared / "golden/magicface")
    call = ["magicface", "--weights", golden, "--steps", "2", "--repeats", "1", "--device", "cpu"]
    assert run_command(app, call) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["way"] for row in rows} == {"official", "ours"}
    (ours,) = [row for row in rows if row["way"] == "ours"]
    assert ours["apart"] < 1e-4


def test_two_sources_of_weights_at_once_are_refused(capsys):
    assert run_command(app, ["magicface", "--random-weights", "--weights", "x"]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_a_second_curve_on_an_open_frame_is_measured(demo: Path, capsys):
    assert run_command(app, ["preview", "--input", str(demo), "--rounds", "1"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["size"] == [512, 512]
    assert figures["second_curve_cpu_ms"] > 1


@pytest.mark.slow
def test_a_verdict_is_measured_on_a_clip_and_a_longer_one(capsys):
    assert run_command(app, ["evaluation", "--seconds", "0.5"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["short"]["frames"], figures["long"]["frames"]) == (12, 75)
    assert figures["short"]["metrics_cpu_ms_per_frame"] > 1
    assert figures["long"]["page_mib"] > 0.1


@pytest.mark.slow
def test_a_job_on_pretended_gpus_of_two_nodes_is_measured(tmp_path: Path):
    call = [sys.executable, "jobs/benchmark.py", "scale", "--gpus", "2", "--videos", "3"]
    call += ["--seconds-per-segment", "0.5", "--nodes", "2", "--analysis-share", "0.1"]
    call += ["--lengths", "1,2"]
    done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=ROOT)
    (job,) = json.loads(done.stdout)["jobs"]
    assert (job["gpus"], job["nodes"], job["analysis_share"]) == (2, 2, 0.1)
    assert (job["segments"], job["ideal_s"]) == (3, 1.0)  # lengths 1, 2, 1 on two GPUs
    assert 0 < job["efficiency"] < 1
    assert len(job["idle_share_by_gpu"]) in (1, 2)
    assert job["object_store_peak_mb"] >= 0


def test_a_short_edit_in_long_footage_is_measured_stage_by_stage(monkeypatch):
    monkeypatch.setattr(long, "SECONDS", 2)
    monkeypatch.setattr(long, "SIDE", 96)
    told = long.measure_long(minutes=0.2, codecs=("h264",))["h264"]
    assert set(told["short"]) == set(told["long"])
    assert set(told["long"]) >= {"inspect", "analyse", "plan", "render", "finish"}
    short, longer = (sum(s["wall"] for s in told[which].values()) for which in ("short", "long"))
    assert told["ratio"]["wall"] == pytest.approx(longer / short, rel=0.05)
    assert told["frames"] == {"short": 50, "long": 300}
