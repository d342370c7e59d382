"""The field itself: where each point goes for each AU, and that no cell of the grid turns over."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engines.editors.previz.face import control_points, displacements, face_frame, torn_lips
from engines.editors.previz.units import MIRROR, effective_units
from engines.editors.previz.warp import fit_warp
from engines.faces.canonical import canonical_face
from engines.faces.ibug import ibug_points
from keyframes.au import AU_COLUMN, AU_ORDER

SIZE = 512
EYES_PX = 180.0

# What FACS says, per unit, in outer-eye distances: points of image left, outward, down.
FACS = {
    1: [((21,), 0.0, -0.018)],
    2: [((18,), 0.0, -0.018)],
    4: [((20, 21), -0.009, 0.013)],
    5: [((37, 38), 0.0, -0.0075)],
    6: [((40, 41), 0.0, -0.006), ((68,), 0.0, -0.011)],
    9: [((31,), 0.0, -0.011), ((50,), 0.0, -0.006), ((21,), 0.0, 0.006)],
    12: [((48, 60), 0.013, -0.015)],
    15: [((48, 60), 0.0, 0.014)],
    17: [((57, 66), 0.0, -0.010), ((8,), 0.0, -0.006)],
    20: [((48, 60), 0.014, 0.004)],
    25: [((57, 66), 0.0, 0.010), ((51, 62), 0.0, -0.004)],
    26: [((8,), 0.0, 0.024), ((57, 66), 0.0, 0.019), ((48, 60), 0.0, 0.005)],
}


def canonical_landmarks(gap=0.12, yaw=0.0, roll=0.0):
    """`(68, 2)` crop pixels of MediaPipe's canonical face, eyes 180 px apart, lips `gap` apart."""
    cm = canonical_face().points_cm
    face = ibug_points(np.vstack([cm, np.zeros((10, 3))])).astype(np.float64) * [1, -1, 1]
    face = (face - (face[36] + face[45]) / 2) / np.linalg.norm(face[45] - face[36])
    lower = [*range(55, 60), 65, 66, 67]
    face[lower, 1] += gap - (face[66, 1] - face[62, 1])
    face[3:14, 1] += gap
    angle = np.radians(yaw)
    flat = np.column_stack([face[:, 0] * np.cos(angle) + face[:, 2] * np.sin(angle), face[:, 1]])
    turn = np.radians(roll)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return (flat * EYES_PX @ rotation + [SIZE / 2, 0.32 * SIZE]).astype(np.float32)


def asked(number, value):
    delta = np.zeros(12)
    delta[AU_COLUMN[number]] = value
    return delta


def warp_of(landmarks_px, delta):
    frame = face_frame(landmarks_px)
    points = control_points(frame, landmarks_px)
    moved = displacements(frame, points, delta, SIZE)
    return frame, points, moved, fit_warp(frame, torn_lips(points, moved), moved, SIZE)


def offset_at(warp, where_px):
    """The grid's offset at crop pixels, bilinear."""
    x = (where_px[:, 0] - warp.x_px[0]) / (warp.x_px[1] - warp.x_px[0])
    y = (where_px[:, 1] - warp.y_px[0]) / (warp.y_px[1] - warp.y_px[0])
    i, j = np.floor(y).astype(int), np.floor(x).astype(int)
    v, u = (y - i)[:, None], (x - j)[:, None]
    f = warp.offset_px
    return (1 - v) * ((1 - u) * f[i, j] + u * f[i, j + 1]) + v * (
        (1 - u) * f[i + 1, j] + u * f[i + 1, j + 1]
    )


@pytest.mark.parametrize("number", AU_ORDER)
@pytest.mark.parametrize("value", [-2.0, 1.0, 3.0])
def test_each_unit_moves_its_points_as_facs_says_by_the_measured_amounts(number, value):
    landmarks_px = canonical_landmarks()
    _, _, moved, _ = warp_of(landmarks_px, asked(number, value))
    units = float(effective_units(np.float64(value)))
    for points, outward, down in FACS[number]:
        for point in points:
            left, right = moved[point], moved[MIRROR[point]]
            side = 0.0 if MIRROR[point] == point else 1.0
            assert left == pytest.approx([-side * outward * units, down * units], abs=1e-3)
            assert right == pytest.approx([side * outward * units, down * units], abs=1e-3)


@pytest.mark.parametrize("number", AU_ORDER)
def test_the_map_shows_each_point_where_it_should_have_gone(number):
    landmarks_px = canonical_landmarks()
    frame, points, moved, warp = warp_of(landmarks_px, asked(number, 4.0))
    assert warp.share == 1.0
    arrived = frame.to_px(points + moved)
    came_from = arrived + offset_at(warp, arrived)
    error = np.linalg.norm(came_from - frame.to_px(points), axis=1) / EYES_PX
    assert error.max() < 0.012
    assert np.median(error) < 0.002


def test_small_deltas_move_in_proportion_and_large_ones_saturate():
    units = effective_units(np.array([0.1, -0.1, 1.0, 10.0, -10.0]))
    assert units == pytest.approx([0.1, -0.1, 0.9948, 6.786, -6.786], abs=1e-3)


@pytest.mark.parametrize("number", AU_ORDER)
@pytest.mark.parametrize("gap", [0.0, 0.03, 0.12])
@pytest.mark.parametrize("yaw", [0.0, 25.0])
def test_no_single_unit_folds_the_face(number, gap, yaw):
    landmarks_px = canonical_landmarks(gap=gap, yaw=yaw)
    for value in (-10.0, -5.0, -1.0, 1.0, 5.0, 10.0):
        *_, warp = warp_of(landmarks_px, asked(number, value))
        assert warp.jacobian().min() > 0.0


@settings(deadline=None, max_examples=60)
@given(
    delta=arrays(np.float64, 12, elements=st.floats(-10, 10)),
    gap=st.floats(-0.01, 0.2),
    yaw=st.floats(-50, 50),
    roll=st.floats(-180, 180),
)
def test_no_mix_of_units_folds_any_face(delta, gap, yaw, roll):
    *_, warp = warp_of(canonical_landmarks(gap, yaw, roll), delta)
    assert warp.jacobian().min() > 0.0
    assert 0.0 < warp.share <= 1.0


@pytest.mark.parametrize("roll", [20.0, -90.0, 180.0])
def test_a_rolled_face_moves_along_its_own_axes(roll):
    delta = asked(12, 3.0) + asked(1, 2.0)
    _, _, upright, _ = warp_of(canonical_landmarks(), delta)
    frame, points, moved, _ = warp_of(canonical_landmarks(roll=roll), delta)
    assert moved == pytest.approx(upright, abs=1e-4)
    way_px = frame.to_px(points + moved) - frame.to_px(points)
    turn = np.radians(roll)
    down = np.array([-np.sin(turn), np.cos(turn)])
    assert way_px[21] @ down == pytest.approx(upright[21, 1] * EYES_PX, abs=0.1)


@pytest.mark.parametrize("yaw", [-35.0, -15.0, 15.0, 35.0])
def test_a_turned_face_keeps_its_height_and_shows_more_of_the_near_side(yaw):
    frame, _, moved, warp = warp_of(canonical_landmarks(yaw=yaw), asked(12, 3.0))
    assert frame.unit_px == pytest.approx(EYES_PX, rel=0.02)
    assert np.degrees(np.arctan(frame.tan_yaw)) == pytest.approx(yaw, abs=2)
    _, _, straight, _ = warp_of(canonical_landmarks(), asked(12, 3.0))
    assert moved[[48, 54], 1] == pytest.approx(straight[[48, 54], 1], abs=1e-3)
    near, far = (48, 54) if yaw > 0 else (54, 48)
    assert abs(moved[near, 0]) > abs(moved[far, 0]) > 0.0
    assert np.sign(moved[48, 0]) == -1.0
    assert warp.share == 1.0


def test_a_shut_eye_stays_shut_and_an_open_one_never_crosses_itself():
    landmarks_px = canonical_landmarks()
    shut = landmarks_px.copy()
    for upper, lower in ((37, 41), (38, 40)):
        shut[[upper, lower], 1] = landmarks_px[[upper, lower], 1].mean()
    _, _, moved, _ = warp_of(shut, asked(5, 5.0))
    assert np.abs(moved[[37, 38]]).max() < 1e-3
    assert moved[43, 1] == pytest.approx(-0.0075 * effective_units(np.float64(5.0)), abs=1e-3)
    _, points, moved, _ = warp_of(landmarks_px, asked(5, -10.0) + asked(6, 10.0))
    after = points + moved
    assert (after[[41, 40, 47, 46], 1] > after[[37, 38, 43, 44], 1]).all()


def test_a_shut_mouth_cannot_be_shut_further():
    _, points, moved, _ = warp_of(canonical_landmarks(gap=0.0), asked(25, -10.0) + asked(26, -10.0))
    after = points + moved
    assert (after[[67, 66, 65], 1] >= after[[61, 62, 63], 1]).all()
    assert np.abs(moved[8, 1]) < 0.03


def test_an_open_mouth_shuts_with_negative_jaw_drop():
    _, points, moved, _ = warp_of(canonical_landmarks(gap=0.12), asked(26, -5.0))
    after = points + moved
    gap = after[66, 1] - after[62, 1]
    assert 0.0 < gap < 0.06


def test_the_background_beside_and_the_neck_below_stay():
    for delta in (asked(26, 5.0), asked(12, 5.0), asked(20, 5.0)):
        frame, points, _, warp = warp_of(canonical_landmarks(), delta)
        neck = points[4:13] + np.array([0.0, 0.42])
        beside = points[[0, 1, 2, 14, 15, 16]] * [1.2, 1.0]
        where = frame.to_px(np.concatenate([neck, beside]))
        inside = (where > [warp.x_px[0], warp.y_px[0]]) & (where < [warp.x_px[-1], warp.y_px[-1]])
        offsets = offset_at(warp, where[inside.all(axis=1)])
        assert np.abs(offsets).max() < 0.01 * EYES_PX
