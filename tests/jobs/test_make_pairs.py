"""`make-pairs` from footage to a folder that training opens."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from engines.editors.magicface.conditioning.dots import jaw_dots
from engines.editors.magicface.training.examples.pairs import open_pairs, part_files
from jobs.command_line.command import run_command
from jobs.make_pairs import app
from jobs.training.pair_options import PairOptions

LEAVE = "'*.mp4': {licence: own footage, consent: form 7, may_train: true, person: Ada}\n"


def call(*arguments: str) -> int:
    return run_command(app, arguments)


@pytest.mark.slow
def test_footage_becomes_pairs_and_the_same_ones_again(
    ray_here, demo, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("takes").mkdir()
    for name in ("one.mp4", "copy.mp4"):
        shutil.copy2(demo, f"takes/{name}")
    Path("leave.yaml").write_text(LEAVE)
    asked = ("--input", "takes", "--provenance", "leave.yaml", "--size", "128", "--seed", "3")
    easy = ("--min-pose-change", "0", "--min-sharpness", "1", "--pairs-per-face", "12")
    easy += ("--synthetic", "warp=0.25", "heads=0.5")
    assert call(*asked, *easy, "--output", "first") == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "pairs of 2 people" in out
    assert "what each rule left: faces 50" in out  # of one clip: the copy is known as one

    pairs = open_pairs(Path("first"), size=128)
    kinds = pairs.facts.statistics["kinds"]
    assert kinds["warped"] == 6
    assert 1 <= kinds["footage"] <= 6
    assert kinds["drawn"] == kinds["footage"] + kinds["warped"]
    assert pairs.facts.au_by == "mesh"
    assert {clip.name for clip in pairs.facts.clips.values()} == {"copy.mp4", "drawn person 0"}
    source, target, background = next(pairs.pictures(range(1)))
    assert not np.array_equal(source, target)
    first = pq.read_table(part_files(Path("first"))[0]).slice(0, 1).to_pylist()[0]
    mask = cv2.imdecode(np.frombuffer(first["mask"], np.uint8), 0) > 0
    dots = jaw_dots(np.float32(first["target_landmarks"]).reshape(68, 2), 128)
    untouched = ~mask & ~dots.any(axis=2)
    assert np.array_equal(background[untouched], target[untouched])
    assert not background[mask & ~dots.any(axis=2)].any()
    assert cv2.imread("first/pairs.png") is not None

    cut = {p: p.stat().st_mtime_ns for p in Path("first/_work/cut").iterdir()}
    before = {p: p.read_bytes() for p in part_files(Path("first"))}
    assert call(*asked, *easy, "--output", "first") == 0
    assert {p: p.stat().st_mtime_ns for p in Path("first/_work/cut").iterdir()} == cut
    assert {p: p.read_bytes() for p in part_files(Path("first"))} == before
    assert call(*asked, "--min-au-change", "40", "--output", "first") == 2
    assert "none of another expression" in capsys.readouterr().err


def test_footage_that_nobody_answers_for_is_refused_before_it_is_looked_at(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("shot.mp4").write_bytes(b"not looked at")
    Path("some.yaml").write_text("other.mp4: {licence: x, consent: y, may_train: true}\n")
    Path("half.yaml").write_text("shot.mp4: {licence: x, may_train: true}\n")
    Path("no.yaml").write_text("shot.mp4: {licence: x, consent: y}\n")
    Path("wrong.yaml").write_text("shot.mp4: {license: x}\n")
    Path("words.yaml").write_text("shot.mp4: {may_train: 'yes'}\n")
    Path("broken.yaml").write_text("a: [")
    for file, said in (
        (None, "shot.mp4: no licence and no consent; expected --provenance FILE"),
        ("some.yaml", "no licence and no consent"),
        ("half.yaml", "shot.mp4: no consent"),
        ("no.yaml", "may_train is not true"),
        ("wrong.yaml", "license"),
        ("words.yaml", "may-train"),
        ("broken.yaml", "broken.yaml: not readable"),
        ("absent.yaml", "absent.yaml: not readable"),
    ):
        given = ("--provenance", file) if file else ()
        assert call("--input", "shot.mp4", "--output", "pairs", *given) == 2
        told = capsys.readouterr().err
        assert said in told, told
        assert told.count("\n") == 1
    assert not Path("pairs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dolls",), "dolls: no such kind; expected warp or heads"),
        (("warp=2",), "got share 2; expected 0…1"),
        (("warp=many",), "got share many"),
        (("warp=0.7", "heads=0.7"), "1.4 of all pairs"),
        (("heads=1",), "less of heads alone"),
    ],
)
def test_synthetic_pairs_that_do_not_exist_are_refused(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("shot.mp4").write_bytes(b"not looked at")
    asked = ("--input", "shot.mp4", "--output", "pairs", "--without-provenance")
    assert call(*asked, "--synthetic", *words) == 2
    assert said in capsys.readouterr().err
    assert not Path("pairs").exists()


def test_shares_are_of_all_pairs():
    options = PairOptions(inputs=("x",), output="y", synthetic=("warp=0.3", "heads=0.4"))
    assert options.rules().warped_share == 0.5
    assert options.shares() == {"warp": 0.3, "heads": 0.4}
