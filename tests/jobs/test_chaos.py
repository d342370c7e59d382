"""Disturbed runs lose nothing and publish nothing wrong; and what would be wrong is seen."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.chaos import app
from jobs.command_line.command import run_command
from jobs.disturbances import campaign
from jobs.disturbances.events import EVENTS

CHAOS = Path(__file__).resolve().parents[2] / "jobs/chaos.py"


def disturbed(folder: Path, *arguments: str) -> str:
    """The closing line of a campaign in which all was right."""
    call = [sys.executable, str(CHAOS), "--folder", str(folder / "chaos"), *arguments]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-2]


def test_a_second_run_a_dead_worker_and_a_dead_driver_change_no_byte(tmp_path: Path):
    kinds = ("--kinds", "second", "worker", "driver")
    told = disturbed(tmp_path, "--events", "3", "--clips", "1", "--seed", "4", *kinds)
    assert re.match(r"3 disturbances \(.*\) in \d+ runs and \d+ s; [1-9]\d+ bytes", told)
    assert "; 0 wrong; seed 4" in told


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_curves_at_once_share_the_analysis_and_publish_each_its_own(tmp_path: Path):
    """Into the same outputs the second is refused; into its own, both are made."""
    kinds = ("--kinds", "second", "beside", "pause")
    assert "; 0 wrong" in disturbed(tmp_path, "--events", "3", "--clips", "2", *kinds)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_three_stops_by_signals_and_then_a_run_that_is_made(tmp_path: Path):
    kinds = ("--kinds", "sigterm", "sigint", "power")
    assert "; 0 wrong" in disturbed(tmp_path, "--events", "6", "--clips", "1", *kinds)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thirty_disturbances_of_all_kinds_change_no_byte(tmp_path: Path):
    told = disturbed(tmp_path, "--events", "33", "--seed", "11")
    assert "33 disturbances" in told
    assert all(f"{kind} ×" in told for kind in EVENTS if kind != "disk")


def test_an_output_that_no_undisturbed_run_makes_is_wrong(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(campaign, "Footage", lambda *_: _Clips())
    made = campaign._Campaign(tmp_path, random.Random(0), 1, ["second"], print)
    right = tmp_path / "undisturbed0" / "clip-0.look.mp4"
    right.parent.mkdir()
    right.write_bytes(b"right")
    made._known = {0}
    (place := tmp_path / "disk/out").mkdir(parents=True)
    takes = {"clip": {0}}
    made._compare(place, {0}, takes, whole=False)
    assert made._outcome.faults == []
    made._compare(place, {0}, takes, whole=True)
    (place / "clip.look.mp4").write_bytes(b"wrong")
    made._compare(place, {0}, takes, whole=False)
    missing, wrong = made._outcome.faults
    assert "clip.look.mp4: is missing" in missing
    assert "is not what an undisturbed run makes" in wrong
    (place / "clip.look.mp4").write_bytes(b"right")
    made._compare(place, {0}, takes, whole=True)
    assert len(made._outcome.faults) == 2


class _Clips:
    names = ("clip",)
    takes = {"clip": 0}  # noqa: RUF012


def test_a_kind_of_disturbance_that_is_none_and_a_folder_that_is_there_are_refused(
    tmp_path: Path, capsys
):
    assert run_command(app, ("--kinds", "flood")) == 2
    assert "chaos: --kinds flood: known: worker raylet driver power" in capsys.readouterr().err
    assert run_command(app, ("--folder", str(tmp_path))) == 2
    assert "is there already; expected a new one" in capsys.readouterr().err
