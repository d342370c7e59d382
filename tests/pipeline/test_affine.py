import numpy as np

from pipeline.affine import apply, compose, inverse


def some_maps(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*shape, 2, 3))


def test_maps_join_like_their_names():
    c_from_b, b_from_a = some_maps(1, 4), some_maps(2, 4)
    points = np.random.default_rng(3).normal(size=(4, 7, 2))
    step_by_step = apply(c_from_b, apply(b_from_a, points))
    assert np.allclose(apply(compose(c_from_b, b_from_a), points), step_by_step)


def test_an_inverse_undoes_its_map():
    b_from_a = some_maps(4, 3)
    assert np.allclose(compose(inverse(b_from_a), b_from_a), np.eye(2, 3), atol=1e-9)
