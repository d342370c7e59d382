"""Which frames may be a pair, and which pairs come first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.columns import blank
from pipeline.faces.columns import FACE_COLUMNS
from pipeline.faces.faces import Analysis
from pipeline.pairs.rules import PairRules, choose_pairs, spread, usable_rows

FRAMES = 60
TIMES_S = np.arange(FRAMES) / 10
RULES = PairRules(pairs_per_face=5)


def analysis(**others) -> Analysis:
    """One face whose AU12 rises and falls, seen well in 60 frames; a cut after 40."""
    rng = np.random.default_rng(1)
    intensity = np.zeros((FRAMES, 12), np.float32)
    intensity[:, 6] = 2.5 + 2.5 * np.sin(TIMES_S * 3)
    intensity[:, 0] = rng.uniform(0, 2, FRAMES)
    oval = np.stack([np.cos(np.arange(68)), np.sin(np.arange(68))], 1) * 100 + 200
    known = blank(FACE_COLUMNS, FRAMES) | {
        "frames": FRAMES,
        "frame": np.arange(FRAMES),
        "score": np.ones(FRAMES, np.float32),
        "pose": rng.uniform(-20, 20, (FRAMES, 3)).astype(np.float32),
        "landmarks_px": np.repeat(oval[None], FRAMES, 0).astype(np.float32),
        "intensity": intensity,
        "cut": np.arange(FRAMES) == 40,
    }
    return Analysis(**known | others)


def test_pairs_keep_their_distance_change_the_expression_and_cross_no_cut():
    made = analysis()
    for shot, first, last in ((0, 0, 39), (1, 40, 59)):
        chosen = choose_pairs(made, TIMES_S, 0, shot, RULES)
        assert 5 < len(chosen.source) <= 10
        both = np.concatenate([chosen.source, chosen.target])
        assert both.min() >= first
        assert both.max() <= last
        assert (np.abs(TIMES_S[chosen.target] - TIMES_S[chosen.source]) >= 0.5).all()
        change = made.intensity[chosen.target] - made.intensity[chosen.source]
        assert (np.linalg.norm(change, axis=1) >= 1).all()


def test_the_choice_is_the_same_every_time_and_another_for_another_seed():
    first, again = (choose_pairs(analysis(), TIMES_S, 0, 0, RULES) for _ in range(2))
    other = choose_pairs(analysis(), TIMES_S, 0, 0, replace(RULES, seed=1))
    assert first.source.tolist() == again.source.tolist()
    assert first.source.tolist() != other.source.tolist()


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("bridged", True, "seen"),
        ("score", 0.2, "seen"),
        ("landmarks_px", 7.0, "large"),
        ("pose", 60.0, "towards us"),
        ("intensity", np.nan, "measured"),
    ],
)
def test_faces_that_are_not_seen_well_are_left_out_by_a_rule_that_is_named(column, value, rule):
    whole = analysis()
    changed = getattr(whole, column).copy()
    changed[10] = value
    rows, counts = usable_rows(analysis(**{column: changed}), 0, 0, RULES)
    assert rows.tolist() == [row for row in range(40) if row != 10]
    assert counts[rule] == 39


def test_a_frame_with_a_second_face_is_left_out():
    one = analysis()
    rows = {name: getattr(one, name) for name in FACE_COLUMNS}
    two = {name: np.concatenate([values, values[7:8]]) for name, values in rows.items()}
    two["track"][-1] = 1
    good, counts = usable_rows(analysis(**two), 0, 0, RULES)
    assert 7 not in good
    assert counts["alone"] == 39


def test_changes_far_from_each_other_come_first():
    change = np.zeros((6, 12), np.float32)
    change[:3, 0] = (3.0, 2.9, 2.8)
    change[3, 6], change[4, 6] = 2.0, 1.9
    change[5, 11] = -1.0
    order = spread(change, 3)
    assert order[0] == 0
    assert set(order.tolist()) == {0, 3, 5}


def test_nobody_gives_no_pairs():
    assert len(choose_pairs(analysis(), TIMES_S, 3, 0, RULES).source) == 0
    still = np.ones((FRAMES, 12), np.float32)
    chosen = choose_pairs(analysis(intensity=still), TIMES_S, 0, 0, RULES)
    assert len(chosen.source) == 0
    assert chosen.counts["of another expression"] == 0
