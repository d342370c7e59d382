import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import affine
from pipeline.errors import PipelineError
from pipeline.faces.align import (
    crop_path,
    face_squares,
)

FACE = np.random.default_rng(0).uniform(-60, 60, (68, 2))
NEVER = np.zeros(200, bool)


def moving(x: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """`(N, 68, 2)`: one rigid face at each x."""
    centre = np.column_stack([x, np.full(len(x), 240.0)])
    return (FACE[None] * scale + centre[:, None]).astype(np.float32)


def centres(path: np.ndarray, size: int = 512) -> np.ndarray:
    return affine.apply(path, np.full((len(path), 1, 2), size / 2))[:, 0]


finite = st.floats(-500, 500)


@given(st.floats(0.2, 5), finite, finite, st.floats(-3, 3))
def test_into_the_crop_and_back_is_where_it_was(scale, x, y, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    matrix = np.column_stack([turn, [x, y]])
    points = np.array([[0.0, 0.0], [511.0, 3.0], [17.5, 400.25]])
    assert np.allclose(affine.apply(affine.inverse(matrix), affine.apply(matrix, points)), points)
    unity = affine.compose(matrix, affine.inverse(matrix))
    assert np.allclose(unity, [[1, 0, 0], [0, 1, 0]], atol=1e-6)


def test_the_box_is_the_one_magicface_was_trained_on():
    ((x, y, side),) = face_squares(moving(np.array([300.0])))
    hull = FACE.max(0) - FACE.min(0)
    assert np.isclose(side * 352 / 512, 1.5 * 1.033 * hull[0], rtol=1e-5)
    middle = 240 + (FACE.max(0) + FACE.min(0))[1] / 2
    assert np.isclose(y, middle - 0.174 * 1.033 * hull[0], atol=1e-3)
    assert np.isclose(x, 300 + (FACE.max(0) + FACE.min(0))[0] / 2, atol=1e-3)


@pytest.mark.parametrize("speed", [0.2, 4.0, 60.0])
@pytest.mark.parametrize("frames", [2, 5, 40, 120])
def test_a_steady_move_has_no_lag_from_the_first_frame_to_the_last(speed, frames):
    x = 100 + speed * np.arange(frames)
    path = crop_path(moving(x), np.arange(frames) / 25, NEVER[:frames], 512)
    error = centres(path)[:, 0] - face_squares(moving(x))[:, 0]
    assert np.abs(error).max() < 0.02


def test_a_whip_pan_leaves_the_face_in_its_crop():
    x = 300 + np.r_[np.zeros(40), np.linspace(0, 900, 12), np.full(40, 900)]
    path = crop_path(moving(x), np.arange(len(x)) / 25, NEVER[: len(x)], 512)
    error = centres(path)[:, 0] - face_squares(moving(x))[:, 0]
    assert np.abs(error).max() < 10  # a Gaussian of the same smoothness drifts 46 px


def test_a_zoom_that_ends_at_nothing_keeps_its_crop_wide():
    landmarks = np.concatenate([moving(np.array([300.0]), scale) for scale in (1.0, 0.5, 0.01)])
    path = crop_path(landmarks, np.arange(3) / 25, NEVER[:3], 512)
    assert (path[:, 0, 0] > 0).all()


def test_the_path_is_the_same_backwards():
    rng = np.random.default_rng(2)
    faces = moving(300 + np.cumsum(rng.normal(0, 3, 90)))
    times = np.arange(90) / 25
    there, back = (
        crop_path(faces, times, NEVER[:90], 512),
        crop_path(faces[::-1], times, NEVER[:90], 512),
    )
    assert np.allclose(back[::-1], there, atol=1e-6)


def test_no_face_has_no_path():
    assert crop_path(np.zeros((0, 68, 2), np.float32), np.zeros(0), NEVER[:0], 512).shape == (
        0,
        2,
        3,
    )


def test_time_may_start_anew_at_a_restart_only():
    faces, times = moving(np.full(6, 100.0)), np.array([0, 0.1, 0.2, 0, 0.1, 0.2])
    restart = np.arange(6) == 3
    assert len(crop_path(faces, times, restart, 512)) == 6
    with pytest.raises(PipelineError, match="times that do not increase"):
        crop_path(faces, times, NEVER[:6], 512)


def test_what_makes_no_path_is_refused():
    faces, times = moving(np.full(3, 100.0)), np.arange(3) / 25
    with pytest.raises(PipelineError, match="got 3 faces, 2 times and 3 restarts"):
        crop_path(faces, times[:2], NEVER[:3], 512)
    for bad in (faces * np.nan, faces * 0):
        with pytest.raises(PipelineError, match="span no face"):
            crop_path(bad, times, NEVER[:3], 512)


def test_trembling_landmarks_make_a_calm_crop():
    noise = np.random.default_rng(1).normal(0, 1.0, (200, 68, 2))
    landmarks = (moving(np.full(200, 300.0)) + noise).astype(np.float32)
    raw = face_squares(landmarks)[:, 0]
    calm = centres(crop_path(landmarks, np.arange(200) / 25, NEVER, 512))[:, 0]
    assert np.abs(np.diff(calm)).mean() < 0.35 * np.abs(np.diff(raw)).mean()


def test_a_cut_never_bleeds_into_the_shot_before_it():
    x = np.r_[np.full(50, 100.0), np.full(50, 500.0)]
    restart = np.zeros(100, bool)
    restart[[0, 50]] = True
    got = centres(crop_path(moving(x), np.arange(100) / 25, restart, 512))[:, 0]
    assert np.allclose(got, face_squares(moving(x))[:, 0], atol=1e-3)


def test_the_crop_holds_the_face_at_its_known_place():
    landmarks = moving(np.full(5, 320.0))
    path = crop_path(landmarks, np.arange(5) / 25, NEVER[:5], 512)
    inside = affine.apply(affine.inverse(path), landmarks)
    width = np.ptp(inside[0, :, 0])
    assert np.isclose(width * 1.033 * 1.5, 352, atol=0.5)
    assert 0 < inside.min() < inside.max() < 512
