import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.align import apply_affine, compose_affine, crop_path, face_squares, invert_affine

FACE = np.random.default_rng(0).uniform(-60, 60, (68, 2))
NEVER = np.zeros(200, bool)


def moving(x: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """`(N, 68, 2)`: one rigid face at each x."""
    centre = np.column_stack([x, np.full(len(x), 240.0)])
    return (FACE[None] * scale + centre[:, None]).astype(np.float32)


def centres(path: np.ndarray, size: int = 512) -> np.ndarray:
    return apply_affine(path, np.full((len(path), 1, 2), size / 2))[:, 0]


finite = st.floats(-500, 500)


@given(st.floats(0.2, 5), finite, finite, st.floats(-3, 3))
def test_into_the_crop_and_back_is_where_it_was(scale, x, y, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    matrix = np.column_stack([turn, [x, y]])
    points = np.array([[0.0, 0.0], [511.0, 3.0], [17.5, 400.25]])
    assert np.allclose(apply_affine(invert_affine(matrix), apply_affine(matrix, points)), points)
    unity = compose_affine(matrix, invert_affine(matrix))
    assert np.allclose(unity, [[1, 0, 0], [0, 1, 0]], atol=1e-6)


def test_the_box_is_the_one_magicface_was_trained_on():
    ((x, y, side),) = face_squares(moving(np.array([300.0])))
    hull = FACE.max(0) - FACE.min(0)
    assert np.isclose(side * 352 / 512, 1.5 * 1.033 * hull[0], rtol=1e-5)
    middle = 240 + (FACE.max(0) + FACE.min(0))[1] / 2
    assert np.isclose(y, middle - 0.174 * 1.033 * hull[0], atol=1e-3)
    assert np.isclose(x, 300 + (FACE.max(0) + FACE.min(0))[0] / 2, atol=1e-3)


def test_a_steady_move_has_no_lag():
    x = 100 + 4.0 * np.arange(120)
    path = crop_path(moving(x), np.arange(120) / 25, NEVER[:120], 512)
    error = centres(path)[20:-20, 0] - face_squares(moving(x))[20:-20, 0]
    assert np.abs(error).max() < 0.5


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
    inside = apply_affine(invert_affine(path), landmarks)
    width = np.ptp(inside[0, :, 0])
    assert np.isclose(width * 1.033 * 1.5, 352, atol=0.5)
    assert 0 < inside.min() < inside.max() < 512
