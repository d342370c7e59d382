"""The embedded AU estimator: its geometry, its calibration, and what it says of real clips."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from engines.errors import EngineError
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.estimators.mesh.features import (
    _DISTANCES,
    FEATURE_NAMES,
    levelled_points,
    mesh_features,
)
from engines.interface import Face
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_COLUMN

COLUMN = {name: i for i, name in enumerate(FEATURE_NAMES)}


@pytest.fixture(scope="module")
def tracker():
    return MeshTracker()


@pytest.fixture(scope="module")
def estimator():
    return MeshAUEstimator()


@pytest.fixture(scope="module")
def face(tracker) -> Face:
    return tracker.track([data.astronaut()])[0][0]


def features_of(tracker, estimator, clip, frames):
    """Features of those frames of a clip with one face."""
    video = cv2.VideoCapture(str(clip))
    rows = []
    for number in range(max(frames) + 1):
        assert video.grab()
        if number in frames:
            rgb = np.ascontiguousarray(video.retrieve()[1][..., ::-1])
            rows.append(estimator.measure([rgb], tracker.track([rgb]))[0][0])
    return np.array(rows)


@given(
    angle=st.floats(-np.pi, np.pi),
    scale=st.floats(0.2, 5),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
@settings(deadline=None)
def test_features_do_not_change_with_place_size_and_roll(face, angle, scale, shift):
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])  # clockwise, y down
    moved = (scale * face.mesh_px.astype(np.float64) @ turn.T + [*shift, 0]).astype(np.float32)
    matrix = face.matrix.astype(np.float64)
    matrix[:3, :3] = np.diag([1, -1, 1]) @ turn @ np.diag([1, -1, 1]) @ matrix[:3, :3]
    before = mesh_features(face.mesh_px, face.blendshapes, face.matrix)
    after = mesh_features(moved, face.blendshapes, matrix.astype(np.float32))
    assert np.abs(after - before).max() < 1e-3


def test_levelled_points_face_the_viewer(face):
    points = levelled_points(face.mesh_px, face.matrix)
    assert np.allclose(points[33, :2], [-0.5, 0])
    assert np.allclose(points[263, :2], [0.5, 0])
    assert points[152, 1] > points[2, 1] > 0 > points[10, 1]
    assert abs(points[[4, 152, 10], 0]).max() < 0.1  # nose, chin and forehead in one line


def test_each_distance_grows_in_the_direction_of_its_name():
    points = np.zeros((478, 3))
    grown = {
        "brow_in": ((107, 55, 336, 285), 1, -1),
        "brow_out": ((70, 63, 300, 293), 1, -1),
        "brow_gap": ((285,), 0, 1),
        "eye": ((159, 386), 1, -1),
        "nose_wing": ((98, 327), 1, 1),
        "corner_up": ((61, 291), 1, -1),
        "corner_vs_lip": ((61, 291), 1, 1),
        "width": ((291,), 0, 1),
        "gap": ((14,), 1, 1),
        "jaw": ((152,), 1, 1),
        "lowlip": ((17,), 1, 1),
    }
    assert set(grown) == set(_DISTANCES)
    for name, (moved, axis, direction) in grown.items():
        changed = points.copy()
        changed[list(moved), axis] += 0.25 * direction
        assert _DISTANCES[name](changed) - _DISTANCES[name](points) == pytest.approx(0.25)


def test_a_turned_and_smaller_picture_measures_alike(tracker, estimator):
    picture = data.astronaut()
    turn = cv2.getRotationMatrix2D((225, 130), -25, 0.8)
    turned = cv2.warpAffine(picture, turn, (512, 512), flags=cv2.INTER_AREA)
    frames = [picture, turned]
    one, other = estimator.measure(frames, tracker.track(frames))
    distances = [COLUMN[name] for name in _DISTANCES]
    assert one.shape == other.shape == (1, len(FEATURE_NAMES))
    assert one.dtype == np.float32
    assert np.abs(one - other)[0, distances].max() < 0.05


def test_every_face_of_every_frame_gets_its_row(tracker, estimator, face):
    grey = np.full((64, 64, 3), 90, np.uint8)
    rows = estimator.measure([data.astronaut(), grey, data.astronaut()], [[face], [], [face, face]])
    assert [r.shape for r in rows] == [(n, len(FEATURE_NAMES)) for n in (1, 0, 2)]
    assert np.array_equal(rows[2][0], rows[2][1])


def test_faces_of_a_tracker_without_mesh_are_looked_up(estimator, face):
    bare = Face(face.box, 1.0, face.landmarks_px, 0.0, 0.0, 0.0)
    elsewhere = Face(face.box + 200, 1.0, face.landmarks_px + 200, 0.0, 0.0, 0.0)
    (rows,) = estimator.measure([data.astronaut()], [[bare, face, elsewhere]])
    assert np.array_equal(rows[0], rows[1])
    assert np.isnan(rows[2]).all()
    (nothing,) = estimator.measure([np.zeros((64, 64, 3), np.uint8)], [[bare]])
    assert np.isnan(nothing).all()


def resting(count=20):
    """Features of a face that does nothing: no blendshape, plausible distances."""
    rows = np.zeros((count, len(FEATURE_NAMES)), np.float32)
    for name in _DISTANCES:
        rows[:, COLUMN[name]] = 0.3
    rows[:, COLUMN["gap"]] = 0.01
    return rows


def test_a_face_at_rest_measures_zero(estimator):
    assert estimator.intensity(resting()).values == pytest.approx(np.zeros((20, 12)), abs=1e-6)


MOVES = {
    1: {"browInnerUp": 1, "brow_in": 0.09},
    2: {"browOuterUp": 1, "brow_out": 0.09},
    4: {"browDown": 0.8},
    5: {"eyeWide": 0.7},
    6: {"mouthSmile": 1, "eyeSquint": 1},
    9: {"nose_wing": -0.08, "mouthUpperUp": 1},
    12: {"mouthSmile": 1},
    15: {"corner_vs_lip": 0.07},
    17: {"mouthShrugLower": 0.8},
    20: {"mouthStretch": 0.7},
    25: {"gap": 0.21},
    26: {"jaw": 0.4, "jawOpen": 1},
}


@pytest.mark.parametrize("au", MOVES)
def test_each_au_follows_its_own_features(estimator, au):
    rows = resting()
    for name, change in MOVES[au].items():
        rows[15:, COLUMN[name]] += change
    rows[15:, COLUMN["activity"]] = 3
    values = estimator.intensity(rows).values
    assert values[15:, AU_COLUMN[au]] == pytest.approx([5.0] * 5, abs=0.01)
    assert values[:15, AU_COLUMN[au]] == pytest.approx([0.0] * 15, abs=0.01)


def test_dead_blendshapes_leave_geometry_to_speak(estimator):
    rows = resting()
    rows[15:, COLUMN["brow_in"]] += 0.09
    rows[15:, COLUMN["corner_up"]] += 0.16
    rows[15:, COLUMN["jaw"]] += 0.35
    rows[15:, COLUMN["activity"]] = 3
    raised = estimator.intensity(rows).values[15]
    assert raised[[AU_COLUMN[1], AU_COLUMN[12], AU_COLUMN[26]]] == pytest.approx([2.5, 2.5, 4.5])


def test_calibration_takes_the_frames_that_move_least(estimator):
    rows = resting(40)
    rows[:, COLUMN["browInnerUp"]] = 0.9
    rows[:, COLUMN["activity"]] = 2
    rows[30:36, COLUMN["browInnerUp"]] = 0.2
    rows[30:36, COLUMN["activity"]] = 0.5
    values = estimator.intensity(rows).values[:, AU_COLUMN[1]]
    assert values[30:36] == pytest.approx([0.0] * 6)
    assert values[0] == pytest.approx(5 * 0.5 * (0.9 - 0.2) / 0.8, abs=1e-4)


def test_a_blendshape_high_at_rest_keeps_something_to_show(estimator):
    rows = resting()
    rows[:, COLUMN["mouthSmile"]] = 0.9
    assert estimator.intensity(rows).values[:, AU_COLUMN[12]] == pytest.approx([3.75] * 20)


def test_a_named_neutral_range_is_taken_instead():
    rows = resting()
    rows[:10, COLUMN["brow_in"]] += 0.09
    rows[10:, COLUMN["activity"]] = 1
    quiet_first = MeshAUEstimator().intensity(rows).values[:, AU_COLUMN[1]]
    named = MeshAUEstimator(neutral_rows=(10, 20)).intensity(rows).values[:, AU_COLUMN[1]]
    assert quiet_first.max() == 0
    assert named[:10] == pytest.approx([2.5] * 10)
    with pytest.raises(EngineError, match=r"neutral rows 30…40: .* known: 0…20"):
        MeshAUEstimator(neutral_rows=(30, 40)).intensity(rows)
    with pytest.raises(EngineError, match=r"neutral rows: got 4…4; expected 0 ≤ first < end"):
        MeshAUEstimator(neutral_rows=(4, 4))


def test_another_clips_face_at_rest_shows_a_smile_that_never_ends(estimator):
    rows = resting()
    rows[:, COLUMN["mouthSmile"]] = 0.5
    rows[:, COLUMN["corner_up"]] += 0.16
    neutral = estimator.neutral(resting())
    smile = AU_COLUMN[12]
    assert estimator.intensity(rows).values[:, smile].max() < 1.5
    assert estimator.intensity(rows, neutral).values[:, smile].min() > 2.5
    unknown = np.full_like(neutral, np.nan)
    assert np.array_equal(
        estimator.intensity(rows, unknown).values, estimator.intensity(rows).values
    )


def test_a_face_never_seen_has_no_rest(estimator):
    assert np.isnan(estimator.neutral(np.full_like(resting(3), np.nan))).all()
    with pytest.raises(EngineError, match=r"neutral features: got \(2,\); expected \("):
        estimator.intensity(resting(), np.zeros(2, np.float32))


def test_frames_without_a_face_stay_nan_and_do_not_disturb(estimator):
    rows = np.insert(resting(), [0, 7, 20], np.nan, axis=0)
    values = estimator.intensity(rows).values
    assert np.flatnonzero(np.isnan(values).all(axis=1)).tolist() == [0, 8, 22]
    assert np.isfinite(values[[1, 9, 21]]).all()
    assert np.isnan(estimator.intensity(rows[:1]).values).all()
    assert estimator.intensity(rows[:0]).values.shape == (0, 12)


def test_other_shapes_are_refused(estimator):
    with pytest.raises(EngineError, match=r"AU features: got \(3, 4\); expected \(N, "):
        estimator.intensity(np.zeros((3, 4), np.float32))
    with pytest.raises(EngineError, match="got 1 frames and faces of 0"):
        estimator.measure([np.zeros((8, 8, 3), np.uint8)], [])


def test_jaw_lips_and_smile_are_seen_where_the_clip_shows_them(shared, tracker, estimator):
    frames = list(range(0, 216, 4))
    clip = shared / "media" / "clips" / "d18.mp4"
    values = estimator.intensity(features_of(tracker, estimator, clip, frames)).values
    at = dict(zip(frames, values, strict=True))
    assert min(at[f][AU_COLUMN[26]] for f in (68, 76, 88)) > 3.5  # a wide "oh"
    assert min(at[f][AU_COLUMN[25]] for f in (68, 76, 88, 120, 148)) > 4.5
    assert max(at[f][AU_COLUMN[12]] for f in (68, 76, 88)) < 0.5
    assert min(at[f][AU_COLUMN[12]] for f in (116, 120, 124)) > 3  # a laugh
    assert min(at[f][AU_COLUMN[6]] for f in (116, 120, 124)) > 2
    assert max(at[f][AU_COLUMN[25]] for f in (0, 24, 52, 104, 172, 208)) < 0.5  # lips closed
    assert min(at[f][AU_COLUMN[17]] for f in (172, 208)) > 0.8  # a pout
    assert np.mean([at[f][AU_COLUMN[1]] for f in frames]) < 0.5  # brows never rise


def test_a_brow_raise_is_seen_where_the_clip_shows_it(shared, tracker, estimator):
    clip = shared / "media" / "clips" / "d14.mp4"
    frames = sorted({*range(0, 530, 16), *range(306, 326, 2)})
    values = estimator.intensity(features_of(tracker, estimator, clip, frames)).values
    at = dict(zip(frames, values, strict=True))
    up, down = at[312], at[320]
    for au in (1, 2):
        assert up[AU_COLUMN[au]] > down[AU_COLUMN[au]] + 2
    assert max(at[f][AU_COLUMN[26]] for f in (112, 144, 208, 320)) < 0.5  # the jaw stays
