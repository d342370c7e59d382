"""The jaw that every tracker's faces get: that of the mesh, which stays on a head as it turns."""

from dataclasses import replace

import numpy as np
import pytest
from skimage import data

from engines.interface import Face
from engines.trackers.mesh.jaw import JAW, with_mesh_jaw
from engines.trackers.mesh.tracker import MeshTracker


@pytest.fixture(scope="module")
def seen():
    picture = data.astronaut()
    (face,) = MeshTracker().track([picture])[0]
    return picture, face


def _of_another_tracker(face: Face, slid: float) -> Face:
    """The same face without a mesh; its jaw slid sideways, its other points a little off."""
    points = face.landmarks_px + np.float32(0.4)
    points[JAW, 0] += slid
    return replace(face, landmarks_px=points, mesh_px=None, blendshapes=None, matrix=None)


def test_a_face_without_a_mesh_gets_the_jaw_of_the_mesh_and_keeps_the_rest(seen):
    picture, face = seen
    eyes = float(np.linalg.norm(face.landmarks_px[36] - face.landmarks_px[45]))
    other = _of_another_tracker(face, 0.3 * eyes)
    (mended,) = with_mesh_jaw(picture, [other])
    assert np.abs(mended.landmarks_px[JAW] - face.landmarks_px[JAW]).max() < 0.05 * eyes
    assert np.array_equal(mended.landmarks_px[17:], other.landmarks_px[17:])
    assert mended.box[2] == mended.landmarks_px[:, 0].max()
    assert mended.score == other.score


def test_what_the_mesh_itself_found_is_left_alone(seen):
    picture, face = seen
    assert with_mesh_jaw(picture, [face])[0] is face


def test_where_the_mesh_sees_no_such_face_the_tracker_is_believed(seen):
    picture, face = seen
    other = _of_another_tracker(face, 0.0)
    assert with_mesh_jaw(np.zeros_like(picture), [other])[0] is other
    elsewhere = replace(other, landmarks_px=other.landmarks_px + 60, box=other.box + 60)
    assert with_mesh_jaw(picture, [elsewhere])[0] is elsewhere
    outside = replace(other, landmarks_px=other.landmarks_px - 900, box=other.box - 900)
    assert with_mesh_jaw(picture, [outside])[0] is outside
