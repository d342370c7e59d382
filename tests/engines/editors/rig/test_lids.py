"""Lids that shut: a layer that slides over an eye."""

import cv2
import numpy as np
import pytest

from engines.choice import check_shuts_eyes, resolve
from engines.editors.previz.editor import PrevizEditor
from engines.errors import EngineUnavailableError
from engines.interface import AlignedCrops
from keyframes.au import AUDelta
from tests.engines.editors.rig.test_warp import SIZE, canonical_landmarks

SKIN, WHITE = np.array([150, 110, 90]), np.array([245, 245, 245])


@pytest.fixture(scope="module")
def face():
    """Skin with stripes, eyes all white, and where the eyes lie."""
    points = canonical_landmarks()
    image = np.broadcast_to(SKIN, (SIZE, SIZE, 3)).astype(np.uint8).copy()
    image[::8] -= 20
    eyes = np.zeros((2, SIZE, SIZE), np.uint8)
    for eye, first in enumerate((36, 42)):
        cv2.fillPoly(eyes[eye], [np.rint(points[first : first + 6]).astype(int)], 1)
        image[eyes[eye] > 0] = WHITE
    return image, points, eyes.astype(bool)


def shut(face, lids, **units):
    image, points, _ = face
    values = np.zeros((1, 12), np.float32)
    for column, value in units.items():
        values[0, int(column[1:])] = value
    crops = AlignedCrops(image[None], points[None], np.zeros(1, np.int64))
    return PrevizEditor(SIZE).edit(crops, AUDelta(values, np.float32([lids])), seed=0)


def white(result, eye):
    return (result.edited[0][eye].min(axis=-1) > 140).mean()


def test_a_shut_eye_shows_no_eye_and_its_twin_stays(face):
    result = shut(face, (5, 0))
    right, left = face[2]
    assert white(result, right) < 0.02
    assert np.array_equal(result.edited[0][:, SIZE // 2 :], face[0][:, SIZE // 2 :])
    assert not result.mask[0][:, SIZE // 2 :].any()
    assert white(shut(face, (0, 5)), left) < 0.02
    assert np.array_equal(result.edited[0][result.mask[0] == 0], face[0][result.mask[0] == 0])


def test_the_eye_stays_where_it_is_and_the_lid_goes_down_evenly(face):
    seen = [white(shut(face, (level, level)), face[2][0]) for level in (0.0, 1.25, 2.5, 3.75, 5.0)]
    assert seen[0] > 0.95
    assert (np.diff(seen)[:3] < -0.1).all()
    image, points, _ = face
    half = shut(face, (1.25, 1.25)).edited[0]
    column = round(float(points[[37, 38], 0].mean()))
    low = round(float(points[[40, 41], 1].mean()))
    assert np.abs(half[low - 4, column].astype(int) - image[low - 4, column]).max() < 60


def test_eyes_shut_along_with_everything_else_that_moves(face):
    result = shut(face, (5, 5), c0=4.0, c6=3.0)
    assert white(result, face[2][0]) < 0.05
    assert result.mask[0][400:460].any(), "the mouth moves too"


def test_editors_that_shut_no_eyes_are_refused_before_they_are_looked_for():
    for name in ("magicface", "identity"):
        with pytest.raises(
            EngineUnavailableError, match=r"cannot shut eyes.*AU43.*plate or previz"
        ):
            resolve("editor", name, shuts_eyes=True)
    check_shuts_eyes("editor", "auto")
    assert resolve("editor", "previz", shuts_eyes=True).name == "previz"
    assert resolve("editor", gpus=1.0, shuts_eyes=True).name == "plate"
