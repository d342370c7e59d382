"""Pairs with a known change: what was asked is what the pictures and the columns show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engines.editors.magicface.conditioning.background import Conditioner
from engines.editors.magicface.training.examples.pairs import KINDS, open_pairs
from keyframes.au import AU_COLUMN
from pipeline.heads.landmarks import true_landmarks
from pipeline.heads.people import person
from pipeline.heads.render import View, render_person
from pipeline.pairs.drawn import PER_PERSON, drawn_people, make_drawn
from pipeline.pairs.folder import ClipPairs, publish_pairs
from pipeline.pairs.pictures import CropSettings, Seen, seen
from pipeline.pairs.rules import PairRules
from pipeline.pairs.synthetic import AUS_CHANGED, MOST, drawn_rows, made_change, warped

CROPS = CropSettings(64, "face")
LEFT_CORNER, CHIN = 54, 8


def face() -> Seen:
    view = View(size=256, zoom=1.3)
    one = person(3)
    points = true_landmarks(one, np.zeros(12), view)
    return seen(render_person(one, None, view), points, CROPS, Conditioner("face"))


def test_what_a_small_pictures_background_loses_is_looked_for_in_the_large_one():
    one, shown = face(), []

    def segmenter(image: np.ndarray) -> np.ndarray:
        shown.append(image)
        person = np.zeros(image.shape[:2], bool)
        person[40:, 60:200] = True
        return person

    crops = CropSettings(32, "person")
    small = seen(one.large, one.large_px, crops, Conditioner("person", segmenter))
    assert small.mask.shape == (32, 32)
    assert small.mask[5:, 8:25].all()  # columns 60…199 of 256 are 7.5…25 of 32
    assert not small.mask[:5].any()
    assert not small.mask[:, :7].any()
    assert not small.mask[:, 25:].any()
    assert [picture.shape for picture in shown] == [(256, 256, 3)]


def delta(au: int, value: float) -> np.ndarray:
    asked = np.zeros(12, np.float32)
    asked[AU_COLUMN[au]] = value
    return asked


def test_a_warped_face_shows_the_change_in_picture_and_landmarks():
    one, still = face(), np.zeros(3, np.float32)
    for au, point, sign in ((26, CHIN, 1), (12, LEFT_CORNER, -1), (15, LEFT_CORNER, 1)):
        moved = warped(one, still, delta(au, 5), CROPS, Conditioner("face"))
        assert sign * (moved.large_px - one.large_px)[point, 1] > 2, au
        assert (moved.image != one.image).any()
        assert np.array_equal(moved.image[:8], one.image[:8])
        assert np.array_equal(moved.image[:, :4], one.image[:, :4])


def test_made_changes_are_of_one_to_three_aus_in_both_directions():
    random = np.random.default_rng(0)
    changes = np.stack([made_change(random) for _ in range(300)])
    counts = (changes != 0).sum(axis=1)
    assert (counts.min(), counts.max()) == AUS_CHANGED
    assert np.abs(changes).max() <= MOST
    assert (changes > 4).any(axis=0).all()
    assert (changes < -4).any(axis=0).all()


def _column(rows: list[dict], name: str) -> np.ndarray:
    return np.stack([np.asarray(row[name], np.float32) for row in rows])


def test_a_drawn_persons_pairs_hold_what_was_drawn_and_every_second_turns_the_head():
    rows = drawn_rows(2, 2, CROPS, seed=1)
    assert [row["pose_change"] > 0 for row in rows] == [False, True]
    au = _column(rows, "au")
    assert np.array_equal(au, _column(rows, "target_au") - _column(rows, "source_au"))
    assert (np.abs(au) > 0.5).any(axis=1).all()
    first = cv2.imdecode(np.frombuffer(rows[0]["source"], np.uint8), 1)
    assert first.shape == (64, 64, 3)
    assert first.std() > 20
    (again,) = drawn_rows(2, 1, CROPS, seed=1)
    assert again["target"] == rows[0]["target"]
    assert again["background"] == rows[0]["background"]


def test_a_drawn_targets_picture_and_landmarks_show_its_aus(monkeypatch):
    monkeypatch.setattr("pipeline.pairs.synthetic.made_change", lambda _random: delta(26, 4))
    (row,) = drawn_rows(2, 1, CROPS, seed=1)
    points = np.stack([row["source_landmarks"], row["target_landmarks"]]).reshape(2, 68, 2)
    below_nose = points[:, CHIN, 1] - points[:, 33, 1]
    assert below_nose[1] - below_nose[0] > 1
    source, target = (
        cv2.imdecode(np.frombuffer(row[n], np.uint8), 0) for n in ("source", "target")
    )
    moved = cv2.absdiff(source, target) > 8
    assert moved[36:].sum() > 10 * max(1, moved[:28].sum())


def _empty_part(path: Path, rows: int) -> Path:
    pq.write_table(pa.table({"pair": list(range(rows))}), path)
    return path


def test_drawn_people_are_added_until_their_pairs_are_the_share_that_was_asked_for(tmp_path):
    parts = [_empty_part(tmp_path / f"{n}.parquet", 30) for n in range(2)]
    people = drawn_people(parts, 0.4, PairRules(), CROPS, tmp_path)
    assert [one.pairs for one in people] == [PER_PERSON, PER_PERSON]
    assert drawn_people(parts, 0.0, PairRules(), CROPS, tmp_path) == []
    other = drawn_people(parts, 0.4, replace(PairRules(), seed=1), CROPS, tmp_path)
    assert other[0].part != people[0].part


def test_training_opens_drawn_people_with_their_provenance_and_kind(tmp_path):
    people = [
        replace(one, pairs=1)
        for one in drawn_people(
            [_empty_part(tmp_path / "x.parquet", 40)], 0.5, PairRules(), CROPS, tmp_path
        )
    ]
    for one in people:
        make_drawn(one.number, one.pairs, one.digest, CROPS, 0, one.part)
    clips = [ClipPairs(one.part, one.digest, one.provenance, one.name) for one in people]
    out = tmp_path / "pairs"
    facts = publish_pairs(out, clips, PairRules(), CROPS, held_out=0.3, au_by="mesh")
    pairs = open_pairs(out, size=64)
    assert facts.statistics["kinds"] == {KINDS[2]: 2}
    assert pairs.same_view.all()
    assert {
        said["may_train"] for said in json.loads((out / "pairs.json").read_text())["clips"].values()
    } == {True}


@pytest.mark.parametrize(("share", "warps"), [(0.0, 0), (0.5, 5), (1.0, 10)])
def test_of_each_faces_pairs_the_warped_ones_are_their_share(share, warps):
    rules = PairRules(pairs_per_face=10, warped_share=share)
    assert (rules.warped_per_face, rules.footage_per_face) == (warps, 10 - warps)
