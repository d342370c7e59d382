"""Which frames lend folds, how much of them is put on, and what of the picture counts as folds."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.editors.plate.skin import SIDE
from engines.lent import FOLD_GROUPS
from keyframes.au import AU_COLUMN
from pipeline.edit.lending.fold_maps import STEP, fold_map, where_it_folds
from pipeline.edit.lending.folds import FoldDonors, fold_share, lend_folds
from tests.pipeline.edit.lending.shots import columns, edits, face

SMILE = FOLD_GROUPS.index((12,))
DONORS = FoldDonors(SMILE, (), (), level=4.0, calm=0.5)


def smiling(top=4.0, **more):
    """A smile that comes and goes in the middle of a shot."""
    intensity = np.zeros((100, 12), np.float32)
    intensity[:, AU_COLUMN[12]] = top * np.exp(-(((np.arange(100) - 60) / 8) ** 2))
    return face(intensity=intensity, **more)


def test_a_smile_lends_its_folds_to_the_frames_that_have_none():
    table = columns(smiling())
    (found,) = lend_folds(edits(smiling(), AU12=3.0, AU6=2.0), table)
    assert found.group == SMILE
    assert {donor.frame for donor in found.strong} == {58, 59, 60, 61, 62}
    assert found.level - found.calm > 2.0
    assert table["fold_donor"][0, SMILE] == 60
    assert table["fold"][0, SMILE] == pytest.approx(3.0 / (found.level - found.calm), rel=0.05)
    others = np.delete(table["fold"], SMILE, axis=1)
    assert not others.any()


def test_a_faint_smile_a_turned_one_or_one_of_another_shot_lends_nothing():
    late, level = np.arange(100) > 40, smiling().intensity[:, AU_COLUMN[12]]
    assert lend_folds(edits(smiling(top=1.8), AU12=3.0), columns(smiling())) == []
    for barred in (
        {"pose": np.outer(level, [3, 0, 0]).astype(np.float32)},
        {"shot": late.astype(np.int64)},
        {"lends": ~late},
        {"is_covered": late},
    ):
        one = smiling(**barred)
        assert lend_folds(edits(one, AU12=3.0), columns(one)) == []


@given(st.floats(0, 5), st.floats(-10, 10), st.floats(0, 0.1))
def test_what_is_put_on_follows_the_curve_and_never_switches(now, asked, more):
    def share(delta):
        return float(fold_share(np.float32([now]), np.float32([delta]), DONORS)[0])

    assert -0.8 - 1e-6 <= share(asked) <= 1.0
    assert share(0.0) == 0.0
    assert share(asked + more) - share(asked) >= -1e-6
    assert share(asked + more) - share(asked) <= more / 3.5 + 1e-5
    assert share(asked) * asked >= 0.0  # an unlike sign would take off what is asked for


def chart(lines=(), level=150.0, noise=0.0, seed=0):
    """Skin with dark valleys: (x, y of the middle, length down, depth)."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    light = np.full((SIDE, SIDE), level, np.float32)
    for at_x, at_y, length, depth in lines:
        along = np.clip(1.0 - np.abs(y - at_y) / length, 0.0, 1.0)
        light *= 1.0 - depth * along * np.exp(-(((x - at_x) / 3.0) ** 2))
    random = np.random.default_rng(seed)
    return light + noise * random.standard_normal(light.shape).astype(np.float32)


def of(lines, rest=(), **how):
    strong = [chart(lines, seed=n, noise=1.0) for n in range(5)]
    calm = [chart(rest, seed=n + 9, noise=1.0, **how) for n in range(5)]
    made = fold_map(strong, calm, SMILE)
    return None if made is None else made * np.float32(STEP)


PAIR = ((SIDE / 2 - 60, 215, 55, 0.25), (SIDE / 2 + 60, 215, 55, 0.25))


def test_a_pair_of_folds_is_found_as_deep_as_it_is_and_nothing_beside_it():
    found = of(PAIR)
    for x in (SIDE // 2 - 60, SIDE // 2 + 60):
        assert found[215, x] == pytest.approx(np.log(1 - 0.25), abs=0.12)
    assert np.abs(found[:, SIDE // 2 - 20 : SIDE // 2 + 20]).max() < 0.02
    assert not found[where_it_folds(SMILE) == 0.0].any()
    assert of(()) is None


def test_a_smile_folds_no_chin():
    chin = [(SIDE / 2 + x, 300, 30, 0.25) for x in (-40, 40)]
    found = of((*PAIR, *chin))
    assert np.abs(found[290:310]).max() < 0.02
    assert np.abs(found[205:225]).max() > 0.1


def test_what_one_side_shows_alone_is_no_fold():
    both, alone = of(PAIR), of(PAIR[:1])
    assert alone is None or np.abs(alone).max() < 0.3 * np.abs(both).max()


def test_a_face_that_is_half_covered_where_it_smiles_lends_no_folds():
    texture = np.random.default_rng(4).standard_normal((SIDE, SIDE)).astype(np.float32)
    over = 150 + 40 * cv2.GaussianBlur(texture, (0, 0), 4.0) / 0.07
    covered = [chart(PAIR, seed=n, noise=1.0) for n in range(5)]
    for one in covered:
        one[:, : SIDE // 2 - 20] = np.clip(over, 60, 230)[:, : SIDE // 2 - 20]
    found = fold_map(covered, [chart(seed=n + 9, noise=1.0) for n in range(5)], SMILE)
    assert (
        found is None or np.abs(found[:, : SIDE // 2] * STEP).mean() < 0.1 * np.abs(of(PAIR)).mean()
    )


def test_a_light_band_without_a_fold_beside_it_is_none():
    bright = tuple((x, y, length, -0.25) for x, y, length, _ in PAIR)
    found = of(bright)
    assert found is None or found.max() < 0.03
    bulging = of(PAIR)
    assert 0.01 < bulging.max() < 0.12


def test_rims_of_glasses_and_what_does_not_hold_still_are_no_folds():
    rim = tuple((x, 215, 60, 0.7) for x in (SIDE / 2 - 60, SIDE / 2 + 60))
    moved = of(tuple((x + 2, *rest) for x, *rest in rim), rest=rim)
    assert moved is None or np.abs(moved).max() < 0.01
    wavering = [
        chart([(x, y, h, depth) for x, y, h, _ in PAIR], seed=n, noise=1.0)
        for n, depth in enumerate((0.05, 0.2, 0.35, 0.5, 0.65))
    ]
    found = fold_map(wavering, [chart()] * 5, SMILE)
    assert found is None or np.abs(found * STEP).max() < 0.15
