"""What compositors get beside an output, asked for as a user asks."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from tests.jobs.conftest import Animate

CALL = ("--curve", "smile2.yaml", "--input", "talk.mp4", "--editor", "identity")
WISH = ("--matte", "exr", "--sequence", "png")
BESIDE = ("talk.smile2.matte", "talk.smile2.sequence", "talk.smile2.matte.csv")


def test_matte_strength_and_pictures_are_made_and_told_and_missed_when_gone(animate: Animate):
    run = animate(*CALL, *WISH)
    assert run.status == 0, run.stderr
    assert run.video["elements"] == [str(run.folder / name) for name in BESIDE]
    assert all(f"beside it: {run.folder / name}" in run.stdout for name in BESIDE)
    for name, suffix in (("talk.smile2.matte", "exr"), ("talk.smile2.sequence", "png")):
        assert len(list(Path(name).glob(f"*.{suffix}"))) == 50
    strength = np.genfromtxt(BESIDE[2], delimiter=",", names=True)["strength"]
    assert len(strength) == 50
    assert strength.max() == pytest.approx(3)
    assert (strength[0], strength[-1]) == (0, 0)
    assert animate(*CALL, *WISH).video["status"] == "skipped"
    assert not list(Path().glob(".aureel-*"))
    shutil.rmtree(BESIDE[0])
    gone = animate(*CALL, *WISH)
    assert (gone.status, "is gone, which belongs to" in gone.stderr) == (2, True)


def test_what_stands_in_the_way_is_refused_before_the_work(
    animate: Animate, monkeypatch: pytest.MonkeyPatch
):
    def refused(*options: str) -> str:
        run = animate(*CALL, *options)
        assert run.status == 2, run.stdout
        assert not list(Path().rglob("*.npz"))  # nothing was looked at
        return run.stderr

    Path(BESIDE[2]).write_text("precious")
    assert "talk.smile2.matte.csv exists; pass --overwrite" in refused("--matte", "ffv1")
    assert Path(BESIDE[2]).read_text() == "precious"
    Path(BESIDE[2]).unlink()
    Path(BESIDE[1]).mkdir()
    Path(BESIDE[1], "precious").touch()
    told = refused("--sequence", "png", "--overwrite")
    assert "is in the way of its sequence, and was not made by aureel" in told
    assert Path(BESIDE[1], "precious").exists()
    shutil.rmtree(BESIDE[1])
    Path("talk.smile2.matte.mkv").symlink_to("talk.mp4")
    assert "is footage of this job" in refused("--matte", "ffv1", "--overwrite")
    Path("talk.smile2.matte.mkv").unlink()
    assert "png" in refused("--sequence", "jpeg")
    long = animate(*CALL, "--output", f"{'n' * 238}.mp4", "--sequence", "png")
    assert (long.status, "file systems take 255" in long.stderr) == (2, True)
    disk = namedtuple("disk", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk(10**6, 10**6 - 9, 9))
    full = animate(*CALL, *WISH, "--dry-run")
    assert (full.status, "would fail" in full.stdout, "GB" in full.stdout) == (1, True, True)
