"""Clips' pairs put together: split by person, numbered, without doubles, readable by training."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engines.editors.magicface.training.examples.pairs import SCHEMA, open_pairs, part_files
from pipeline.errors import PipelineError
from pipeline.figures.pairs_sheet import draw_pairs_sheet
from pipeline.pairs.clip import COUNTS
from pipeline.pairs.folder import ClipPairs, held_out_people, publish_pairs
from pipeline.pairs.pictures import CropSettings
from pipeline.pairs.rules import PairRules
from tests.engines.editors.magicface.training.paired import LEAVE, row


def clip(folder: Path, number: int, pairs: range, person: str = "") -> ClipPairs:
    part = folder / f"{number}.parquet"
    sha256 = str(number) * 64
    rows = [row(n, 64, pair=0, split="", identity="", clip=sha256) for n in pairs]
    metadata = {COUNTS: json.dumps({"faces": 9, "pairs": len(rows)})}
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata(metadata)), part)
    return ClipPairs(part, sha256, LEAVE, person)


def publish(folder: Path, clips: list[ClipPairs], share: float = 0.3):
    return publish_pairs(folder, clips, PairRules(), CropSettings(64), held_out=share, au_by="mesh")


def test_training_opens_what_is_published(tmp_path):
    clips = [clip(tmp_path, n, range(10 * n, 10 * n + 4)) for n in range(5)]
    facts = publish(tmp_path / "pairs", clips)
    pairs = open_pairs(tmp_path / "pairs", size=64)
    assert len(pairs) == facts.pairs == 20
    assert 0 < pairs.held_out.sum() < 20
    assert facts.statistics["held_out_pairs"] == pairs.held_out.sum()
    assert facts.statistics["counts"] == {"faces": 45, "pairs": 20, "doubled": 0}
    assert facts.statistics["au_change"]["AU12"]["mean_size"] > 0
    numbers = [n for f in part_files(tmp_path / "pairs") for n in pq.read_table(f)["pair"]]
    assert [n.as_py() for n in numbers] == list(range(20))
    draw_pairs_sheet(tmp_path / "pairs", tmp_path / "sheet.png")
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (7 * 146, 3 * 390, 3)


def test_the_order_of_clips_and_earlier_pairs_change_nothing(tmp_path):
    clips = [clip(tmp_path, n, range(10 * n, 10 * n + 3)) for n in range(4)]
    publish(tmp_path / "one", clips[::-1])
    publish(tmp_path / "two", clips[:2])
    publish(tmp_path / "two", clips)
    one, two = (sorted(p for p in (tmp_path / n).rglob("*") if p.is_file()) for n in ("one", "two"))
    assert [p.name for p in one] == [p.name for p in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_a_person_in_several_clips_is_on_one_side_of_the_split(tmp_path):
    clips = [clip(tmp_path, n, range(10 * n, 10 * n + 2), "Anna") for n in range(3)]
    clips.append(clip(tmp_path, 7, range(70, 72), "Ben"))
    publish(tmp_path / "pairs", clips)
    pairs = open_pairs(tmp_path / "pairs", size=64)
    assert pairs.held_out.sum() in (2, 6)


def test_the_same_footage_twice_gives_its_pairs_once(tmp_path):
    first, second = clip(tmp_path, 1, range(4)), clip(tmp_path, 2, range(2, 6))
    facts = publish(tmp_path / "pairs", [first, first, second])
    assert facts.pairs == 6
    assert facts.statistics["counts"]["doubled"] == 2


def test_no_pairs_say_which_rule_left_nothing_and_leave_what_was_there(tmp_path):
    publish(tmp_path / "pairs", [clip(tmp_path, 1, range(3))])
    empty = clip(tmp_path, 2, range(0))
    with pytest.raises(PipelineError, match="none pairs; expected rules that leave some"):
        publish(tmp_path / "pairs", [empty])
    assert len(open_pairs(tmp_path / "pairs", size=64)) == 3


def test_who_is_held_out_does_not_depend_on_who_else_there_is():
    people = [f"person {n}" for n in range(200)]
    held = held_out_people(people, 0.2, 0)
    assert 20 < len(held) < 60
    assert held_out_people(people[:100], 0.2, 0) == held & set(people[:100])
    assert held_out_people(people, 0.2, 1) != held
    assert held_out_people(["one"], 0.5, 0) == set()
    assert len(held_out_people(["one", "two"], 0.01, 0)) == 1
    assert len(held_out_people(["one", "two"], 0.9, 0)) == 1
    assert held_out_people(people, 0.0, 0) == set()


def test_values_are_float32_of_au_order(tmp_path):
    publish(tmp_path / "pairs", [clip(tmp_path, 1, range(3))])
    pairs = open_pairs(tmp_path / "pairs", size=64)
    assert pairs.au.dtype == np.float32
    assert pairs.au[0].tolist() == row(0, 64)["au"]
