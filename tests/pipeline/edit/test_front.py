"""What is in front of a face: where the edit fades, by hands' points and by classes of pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.segmenters.multiclass import CLASSES
from keyframes.load import parse_sheet
from pipeline.edit.front import FADES, LOST, behind_hands, behind_things, hands_matte
from pipeline.edit.plan import plan_edits
from tests.pipeline.conftest import Talk

SIZE = 256


def flat_hand(x: float, y: float, length: float = 60.0) -> NDArray[np.float32]:
    """A right hand, fingers up, its palm's middle at (x, y): wrist to middle root is `length`."""
    roots = {5: -0.35, 9: 0.0, 13: 0.3, 17: 0.55}
    points = np.zeros((21, 2))
    points[0] = (0, 0.5)
    points[1:5] = [(-0.35, 0.3), (-0.6, 0.0), (-0.8, -0.2), (-0.95, -0.35)]
    for root, across in roots.items():
        points[root : root + 4] = [(across, -0.5 - 0.3 * joint) for joint in range(4)]
    return (points * length + (x, y)).astype(np.float32)


NONE = np.full((21, 2), np.nan, np.float32)


def test_fingers_palm_and_arm_are_in_front_and_the_rest_is_not() -> None:
    hand = flat_hand(128, 128)
    matte = hands_matte(np.stack([hand, NONE]), SIZE)
    assert matte is not None
    for x, y in (*hand, hand[[0, 9]].mean(axis=0), (128, 200)):  # the last: the forearm
        assert matte[round(float(y)), round(float(x))] > 0.7
    assert matte[128, 20] == 0
    assert matte[20, 230] == 0
    assert 0.1 < matte.mean() < 0.4
    assert np.abs(np.diff(matte, axis=1)).max() < 0.25, "edges are soft"


def test_without_a_hand_the_mask_is_the_very_one_that_came() -> None:
    mask = np.ones((SIZE, SIZE), np.float32)
    assert behind_hands(mask, np.stack([NONE, NONE])) is mask
    far = np.stack([flat_hand(3000, -3000), NONE])
    assert behind_hands(mask, far) is mask


def test_two_hands_are_both_in_front() -> None:
    mask = np.ones((SIZE, SIZE), np.float32)
    left = behind_hands(mask, np.stack([flat_hand(60, 128, 30), NONE]))
    both = behind_hands(mask, np.stack([flat_hand(60, 128, 30), flat_hand(200, 128, 30)]))
    assert both[128, 200] < 0.1 < left[128, 200]
    assert both[128, 60] < 0.1


def test_a_hand_lost_for_a_moment_stays_and_none_is_carried_over_a_cut(talk: Talk) -> None:
    rows = talk.analysis.rows_of(0)
    hands = talk.analysis.hands_px.copy()
    hands[rows[10], 0] = flat_hand(200, 300)
    cut = talk.analysis.cut.copy()
    cut[talk.analysis.frame[rows[12]]] = True
    analysis = replace(talk.analysis, hands_px=hands, cut=cut)
    sheet = parse_sheet("version: 1\nchannels: {AU26: [[0, 4]]}", "open")
    plan = plan_edits(talk.inspection, analysis, sheet, 512).plan
    there = np.isfinite(plan.hands_px[:, 0]).all(axis=(1, 2))
    assert plan.frame[there].tolist() == talk.analysis.frame[rows[8:12]].tolist()


FACE = np.full((68, 2), 128.0, np.float32)
FACE[:17] = [(40 + 11 * n, 120 + 90 * (1 - abs(n - 8) / 8)) for n in range(17)]
FACE[31:36] = [(118 + 5 * n, 140) for n in range(5)]


def shares(**where: tuple[slice, slice]) -> NDArray[np.float32]:
    """All is a face's skin, but for the rectangles of other classes."""
    made = np.zeros((SIZE, SIZE, len(CLASSES)), np.float32)
    made[..., CLASSES.index("face skin")] = 1
    for name, place in where.items():
        made[place] = np.eye(len(CLASSES))[CLASSES.index(name.replace("_", " "))]
    return made


LEFT, BROW = slice(0, 60), slice(60, 100)


@pytest.mark.parametrize("name", ["hair", "body_skin", "clothes", "others"])
def test_an_edit_fades_behind_what_is_no_face(name: str) -> None:
    mask = np.ones((SIZE, SIZE), np.float32)
    faded, note = behind_things(mask, shares(**{name: (BROW, LEFT)}), FACE)
    assert faded[80, 30] == 0
    assert faded[80, 100] == 1
    assert note == FADES


def test_background_does_not_fade_an_edit_nor_does_a_beard() -> None:
    mask = np.ones((SIZE, SIZE), np.float32)
    faded, note = behind_things(mask, shares(background=(BROW, LEFT)), FACE)
    assert faded[80, 30] == 1
    assert not note
    bearded = shares(hair=(slice(150, 250), slice(60, 200)))
    faded, _ = behind_things(mask, bearded, FACE)
    assert faded[170, 128] > 0.9, "a chin's hair is a beard"
    assert faded[240, 65] == 0, "beside the jaw it is none"


def test_a_network_that_sees_no_face_fades_nothing_and_says_so() -> None:
    mask = np.ones((SIZE, SIZE), np.float32)
    whole = (slice(0, SIZE), slice(0, SIZE))
    faded, note = behind_things(mask, shares(clothes=whole), FACE)
    assert faded is mask
    assert note == LOST
    assert behind_things(np.zeros_like(mask), shares(), FACE)[1] == ""
