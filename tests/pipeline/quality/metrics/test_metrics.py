"""Every measure on pictures and numbers whose answer is known, and one wrong answer it must see."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.interface import RGBFrame
from keyframes.au import AU_COLUMN, AU_ORDER, AUDelta, AUIntensity
from pipeline.heads.landmarks import true_landmarks
from pipeline.heads.people import person
from pipeline.heads.render import View, render_person
from pipeline.quality.metric import BY_KEY, METRICS
from pipeline.quality.metrics.au_error import au_errors, au_readings, cross_talk, reachable
from pipeline.quality.metrics.background import (
    background_error,
    outside_verdict,
    without_encoder,
    worst_block,
)
from pipeline.quality.metrics.detail import change_map, changed_mask, seam, sharpness
from pipeline.quality.metrics.expression import EXPRESSIONS, expected_expression, expression_reading
from pipeline.quality.metrics.flicker import landmark_jitter, levelled, ratio, warp_error
from pipeline.quality.metrics.geometry import moved_units
from pipeline.quality.metrics.identity import identity_figures
from pipeline.quality.metrics.pose import head_rotation
from pipeline.quality.regions import face_mask, outside_mask

VIEW = View(size=320, zoom=1.5)
REST = np.zeros(len(AU_ORDER), np.float32)


def units(**values: float) -> np.ndarray:
    row = REST.copy()
    for name, value in values.items():
        row[AU_COLUMN[int(name[2:])]] = value
    return row


def texture(side: int = 192, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (side, side)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.asarray(cv2.normalize(soft, None, 60, 200, cv2.NORM_MINMAX), np.uint8)


@pytest.fixture(scope="module")
def portrait() -> RGBFrame:
    return render_person(person(0), view=VIEW)


POINTS = true_landmarks(person(0), REST, VIEW)


def test_every_measure_says_its_unit_its_range_its_source_and_what_it_cannot_say():
    assert len(BY_KEY) == len(METRICS) == 10
    for metric in METRICS:
        assert all((metric.title, metric.unit, metric.range, metric.source, metric.silent))


def test_the_hull_holds_the_forehead_and_the_outside_begins_beyond_it(portrait: RGBFrame):
    face, outside = face_mask(portrait.shape, POINTS), outside_mask(portrait.shape, [POINTS])
    brow, chin = POINTS[17:27].mean(axis=0), POINTS[8]
    forehead = np.rint(brow + 0.4 * (brow - chin)).astype(int)
    assert face[forehead[1], forehead[0]] == 255
    assert not (face & outside).any()
    assert outside[2, 2] == 255
    assert cv2.countNonZero(outside) + cv2.countNonZero(face) < face.size, (
        "a border belongs to none"
    )


def test_the_background_is_measured_outside_both_faces_only(portrait: RGBFrame):
    outside = outside_mask(portrait.shape, [POINTS])
    edited = portrait.copy()
    edited[face_mask(portrait.shape, POINTS) > 0] = 0
    assert background_error(portrait, edited, outside) == 0.0
    edited[2, 2] = np.clip(edited[2, 2].astype(int) + 51, 0, 255)
    count = cv2.countNonZero(outside)
    assert background_error(portrait, edited, outside) == pytest.approx(0.2 / np.sqrt(count))


def test_the_encoders_own_error_is_taken_off():
    assert without_encoder(0.05, 0.03) == pytest.approx(0.04)
    assert without_encoder(0.02, 0.03) == 0.0


def test_one_changed_collar_is_found_where_it_is(portrait: RGBFrame):
    outside = outside_mask(portrait.shape, [POINTS])
    rng = np.random.default_rng(0)
    noisy = portrait.astype(int) + rng.integers(-2, 3, portrait.shape)
    coded = np.clip(noisy, 0, 255).astype(np.uint8)
    floor = worst_block(portrait, coded, outside)
    assert outside_verdict(floor.difference, floor.difference) == "encoder"
    coded[290:310, 16:40] = np.roll(coded[290:310, 16:40], 3, axis=1)
    coded[290:310, 16:40] //= 2
    worst = worst_block(portrait, coded, outside)
    assert (abs(worst.x - 16) <= 16, abs(worst.y - 290) <= 16) == (True, True)
    assert outside_verdict(worst.difference, floor.difference) == "changed"
    assert outside_verdict(worst_block(portrait, portrait, outside).difference, None) == "identical"


def test_a_block_that_touches_the_face_is_no_outside(portrait: RGBFrame):
    outside = outside_mask(portrait.shape, [POINTS])
    edited = np.where(outside[..., None] > 0, portrait, 255 - portrait)
    assert worst_block(portrait, edited, outside).difference == 0.0


def test_motion_is_no_flicker_but_a_change_of_light_is():
    plate = texture(240)
    earlier, later = plate[20:212, 20:212].copy(), plate[22:214, 23:215].copy()
    mask = np.zeros((192, 192), np.uint8)
    mask[30:160, 30:160] = 255
    steady = warp_error(earlier, later, mask)
    assert steady < 1.5
    assert np.abs(earlier.astype(int) - later).mean() > 8, "the motion itself is large"
    flashed = np.clip(later.astype(int) + 10, 0, 255).astype(np.uint8)
    assert warp_error(earlier, flashed, mask) > steady + 6


def test_head_motion_is_no_jitter_but_trembling_points_are():
    points = np.repeat(POINTS[None], 12, axis=0).astype(np.float64)
    turn = np.exp(1j * np.linspace(0, 0.5, 12)) * np.linspace(1, 1.4, 12)
    moving = points @ [1, 1j] * turn[:, None] + np.linspace(0, 60, 12)[:, None]
    moving = np.stack([moving.real, moving.imag], axis=-1)
    no_cut = np.zeros(12, bool)
    assert np.nanmax(landmark_jitter(moving, no_cut)) < 1e-9
    trembling = points + np.random.default_rng(0).normal(0, 1.0, points.shape)
    jitter = landmark_jitter(trembling, no_cut)
    assert np.nanmin(jitter) > 0.005
    assert np.isnan(jitter[[0, -1]]).all()
    cut = no_cut.copy()
    cut[6] = True
    assert np.isnan(landmark_jitter(trembling, cut)[[5, 6]]).all(), "no difference across a cut"


def test_a_ratio_counts_only_what_both_know():
    assert ratio(np.array([2.0, np.nan, 4.0]), np.array([1.0, 9.0, 2.0])) == 2.0
    assert np.isnan(ratio(np.array([1.0]), np.array([np.nan])))


def test_blur_is_less_sharp_and_sharpening_more():
    plate, mask = texture(), np.full((192, 192), 255, np.uint8)
    assert sharpness(plate, plate, mask) == 1.0
    blurred = np.asarray(cv2.GaussianBlur(plate, (0, 0), 2), np.uint8)
    assert sharpness(plate, blurred, mask) < 0.6
    harder = np.asarray(cv2.addWeighted(plate, 1.8, blurred, -0.8, 0), np.uint8)
    assert sharpness(plate, harder, mask) > 1.3
    assert np.isnan(sharpness(plate, plate, np.zeros_like(mask)))


def pasted(feather_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Texture, and the same with a disc 25 levels brighter under a border of that width."""
    plate = texture().astype(np.float32)
    y, x = np.mgrid[:192, :192]
    inside = np.clip((60 - np.hypot(x - 96, y - 96)) / max(feather_px, 1), 0, 1)
    return plate.astype(np.uint8), np.clip(plate + 25 * inside, 0, 255).astype(np.uint8)


def test_a_hard_border_shows_and_a_soft_one_does_not():
    hard, soft = (seam(*pair, changed_mask(change_map(*pair))) for pair in (pasted(1), pasted(50)))
    assert hard > 1.0
    assert soft < 0.3
    plate, _ = pasted(1)
    assert seam(plate, plate, changed_mask(change_map(plate, plate))) == 0.0


def test_texture_that_moved_is_no_seam():
    plate = texture()
    moved = plate.copy()
    moved[60:130, 60:130] = np.roll(plate, 2, axis=1)[60:130, 60:130]
    mask = changed_mask(change_map(plate, moved))
    assert cv2.countNonZero(mask) > 500
    assert seam(plate, moved, mask) < 0.3


@given(st.floats(-170, 170), st.floats(-30, 30))
def test_rotation_is_the_way_round_the_circle(yaw: float, turn: float):
    before = np.array([[yaw, 0.0, 0.0]])
    after = np.array([[(yaw + turn + 180) % 360 - 180, 4.0, 0.0]])
    turned, pitch = head_rotation(before, after)
    assert turned[0] == pytest.approx(abs(turn), abs=1e-6)
    assert pitch[0] == pytest.approx(4.0)


def test_identity_is_judged_by_the_shots_own_spread():
    rng = np.random.default_rng(0)
    plate = rng.normal(0, 0.01, (8, 128))
    kept = identity_figures(plate, plate + 0.002, np.zeros((0, 128)))
    assert kept.kept
    assert np.isnan(kept.nearest_other)
    other = identity_figures(plate, plate + 0.06, plate[:2] + 0.07)
    assert not other.kept
    assert other.nearest_other == pytest.approx(0.07 * np.sqrt(128), rel=0.1)
    assert other.mean == pytest.approx(0.06 * np.sqrt(128), rel=0.01)


def three(requested: list[float], measured: list[float], achieved: list[float], au: int = 12):
    def column(values: list[float]) -> np.ndarray:
        rows = np.zeros((len(values), len(AU_ORDER)), np.float32)
        rows[:, AU_COLUMN[au]] = values
        return rows

    return AUDelta(column(requested)), AUIntensity(column(measured)), AUIntensity(column(achieved))


def test_no_estimator_is_asked_to_read_beyond_its_end():
    requested, measured, achieved = three([0, 3, 4, 4], [1, 4, 4, 4], [1, 5, 5, 4.6])
    column = AU_COLUMN[12]
    assert reachable(requested, measured)[:, column].tolist() == [1, 5, 5, 5]
    error = au_errors(requested, measured, achieved)[:, column]
    assert np.isnan(error[0]), "nothing was asked there"
    np.testing.assert_allclose(error[1:], [0, 0, 0.4], atol=1e-6)
    (reading,) = au_readings(requested, measured, achieved)
    assert (reading.asked, reading.reachable, reading.read) == (4, 1, 1)
    assert reading.share_read == 1.0
    assert reading.frames == 3


def test_a_frame_without_a_face_says_nothing():
    requested, measured, achieved = three([3, 3], [1, 1], [4, 2])
    unseen = achieved.values.copy()
    unseen[1] = np.nan
    (reading,) = au_readings(requested, measured, AUIntensity(unseen))
    assert (reading.frames, reading.read, reading.error) == (1, 3, 0)


def test_what_nobody_asked_for_is_cross_talk():
    requested, measured, achieved = three([3, 3], [0, 0], [3, 3])
    read = achieved.values.copy()
    read[:, AU_COLUMN[6]] = 1.5
    talk = cross_talk(requested, measured, AUIntensity(read))
    assert talk[6] == 1.5
    assert 12 not in talk


@pytest.mark.parametrize("au", AU_ORDER)
def test_geometry_reads_back_what_a_drawn_head_was_given(au: int):
    """Another person than the six whose mean is the ruler; eyes differ most between people."""
    one = person(9)
    asked = np.array([number == au for number in AU_ORDER])
    before = true_landmarks(one, REST, VIEW)[None]
    after = true_landmarks(one, 3 * asked, VIEW)[None]
    moved = moved_units(before, after, asked, np.zeros(1))
    assert moved[0, AU_COLUMN[au]] == pytest.approx(3.0, rel=0.3 if au in (5, 6) else 0.15)
    assert np.isnan(moved[0, ~asked]).all()


def test_geometry_keeps_two_units_apart_and_does_not_end_at_five():
    asked = np.isin(AU_ORDER, (12, 26))
    before = true_landmarks(person(9), REST, VIEW)[None]
    after = true_landmarks(person(9), units(AU12=7, AU26=2), VIEW)[None]
    moved = moved_units(before, after, asked, np.zeros(1))[0]
    assert moved[AU_COLUMN[12]] == pytest.approx(7, rel=0.2)
    assert moved[AU_COLUMN[26]] == pytest.approx(2, rel=0.3)


def test_geometry_of_a_turned_head_is_that_of_a_frontal_one():
    asked = np.isin(AU_ORDER, (12,))
    turned = View(size=320, zoom=1.5, yaw=20)
    pair = [true_landmarks(person(9), units(AU12=v), turned)[None] for v in (0, 3)]
    moved = moved_units(*pair, asked, np.array([20.0]))
    assert moved[0, AU_COLUMN[12]] == pytest.approx(3, rel=0.25)


def test_levelling_puts_the_outer_eyes_one_apart():
    turned = POINTS @ np.array([[0.0, 3.0], [-3.0, 0.0]]) + 11
    for points in (POINTS, turned):
        level = levelled(points[None])[0]
        np.testing.assert_allclose(level[[36, 45]], [[-0.5, 0], [0.5, 0]], atol=1e-6)


def test_a_smile_means_happy_and_a_blink_of_the_brow_means_nothing():
    assert expected_expression(AUDelta(units(AU12=4, AU6=2)[None])) == "happy"
    assert expected_expression(AUDelta(units(AU1=3, AU2=3, AU5=2)[None])) == "surprise"
    assert expected_expression(AUDelta(units(AU17=3)[None])) == ""


def test_the_second_network_is_asked_where_the_curve_asks_most():
    requested = AUDelta(np.stack([units(AU12=v) for v in (0.0, 1.0, 4.0)]))
    before = np.tile(np.eye(7)[0], (3, 1))
    after = np.array([np.eye(7)[0], np.eye(7)[0], np.eye(7)[EXPRESSIONS.index("happy")]])
    reading = expression_reading(requested, before, after)
    assert reading is not None
    assert (reading.expected, reading.reads, reading.as_expected) == ("happy", "happy", True)
    nothing = AUDelta(np.zeros((3, 12), np.float32))
    assert expression_reading(nothing, before, after) is None
