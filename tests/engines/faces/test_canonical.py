"""The canonical face that is packaged is the one in MediaPipe's task file."""

import numpy as np

from engines.faces.canonical import canonical_face
from tests.engines.faces.make_canonical_face import canonical_arrays


def test_the_packaged_face_is_that_of_the_task_file():
    packaged, of_task = canonical_face(), canonical_arrays()
    assert np.array_equal(packaged.points_cm, of_task["points_cm"])
    assert np.array_equal(packaged.weights, of_task["weights"])


def test_a_face_at_rest_has_a_nose_in_front_and_33_points_that_carry_the_pose():
    face = canonical_face()
    assert face.points_cm.shape == (468, 3)
    assert np.count_nonzero(face.weights) == 33
    nose_tip, chin = face.points_cm[1], face.points_cm[152]
    assert nose_tip[2] > chin[2]
    assert nose_tip[1] > chin[1]
