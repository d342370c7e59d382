"""How far eyes are shut, from landmarks alone."""

import numpy as np
import pytest

from engines.faces.eyelids import eye_closure, eye_openings
from tests.engines.editors.rig.test_warp import canonical_landmarks


def face(left, right, **turned):
    """The canonical face, its eyes shut by shares of what they are open."""
    points = canonical_landmarks(**turned)
    for share, upper, lower in ((left, (37, 38), (41, 40)), (right, (43, 44), (47, 46))):
        gap = points[list(lower)] - points[list(upper)]
        points[list(upper)] += share * gap
    return points


def test_a_blink_is_measured_against_the_persons_own_open_eye():
    points = np.stack([face(0, 0)] * 8 + [face(0.5, 0.5), face(1, 1), face(1, 0)])
    closure = eye_closure(points, np.zeros((11, 3), np.float32))
    assert not closure[:8].any()
    assert closure[8] == pytest.approx([2.7, 2.7], abs=0.2)
    assert (closure[9] == 5).all()
    assert closure[10].tolist() == [5, 0]
    narrow = points.copy()
    narrow[:, :, 1] *= 0.6
    assert np.abs(eye_closure(narrow, np.zeros((11, 3))) - closure).max() < 0.1


def test_turning_and_tilting_a_head_shuts_no_eye():
    front = eye_openings(face(0, 0)[None], np.zeros((1, 3)))
    tilted = eye_openings(face(0, 0, roll=-25)[None], np.float32([[0, 0, 25]]))
    assert tilted == pytest.approx(front, rel=0.02)
    turned = eye_openings(face(0, 0, yaw=25)[None], np.float32([[25, 0, 0]]))
    assert turned == pytest.approx(front, rel=0.12)
    assert eye_closure(np.zeros((0, 68, 2)), np.zeros((0, 3))).shape == (0, 2)
