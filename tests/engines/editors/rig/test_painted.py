"""A mouth nobody lends: painted, but no slot."""

import cv2
import numpy as np
import pytest

from engines.editors.previz.editor import PrevizEditor
from engines.editors.rig.painted import softness
from engines.interface import AlignedCrops
from keyframes.au import AU_COLUMN, AUDelta
from tests.engines.editors.rig.test_warp import SIZE, canonical_landmarks


def first_row(amount):
    return _rows(amount)[1]


def opened(amount):
    """The column through the middle of a mouth that opens, from lip to lip: `(rows, 3)`."""
    return _rows(amount)[0]


def _rows(amount):
    points = canonical_landmarks(gap=0.0)
    image = np.full((SIZE, SIZE, 3), (180, 140, 120), np.uint8)
    values = np.zeros((1, 12), np.float32)
    values[0, [AU_COLUMN[25], AU_COLUMN[26]]] = amount
    crops = AlignedCrops(image[None], points[None], np.zeros(1, np.int64))
    edited = PrevizEditor(SIZE).edit(crops, AUDelta(values), seed=0).edited[0].astype(int)
    column = edited[:, round(float(points[62, 0])) + 3]
    rows = np.flatnonzero(np.abs(column - image[0, 0]).max(axis=1) > 12)
    return column[rows[0] : rows[-1] + 1], rows[0]


def test_a_mouth_that_opens_wide_shows_teeth_a_hollow_and_a_tongue():
    column = opened(4.0)
    light, third = column.mean(axis=1), len(column) // 3
    assert light[:third].max() > 110, "teeth below the upper lip"
    middle, low = column[third + 2 : -third], column[-third // 2 : -2]
    assert middle.mean() < 45
    assert low[:, 0].mean() > 1.5 * middle[:, 0].mean(), "a tongue, redder than the hollow"
    assert (low[:, 0] > low[:, 1]).all()


def test_teeth_are_fixed_to_the_skull_whatever_the_jaw_does():
    ends = []
    for amount in (2.5, 4.0):
        light, first = opened(amount).mean(axis=1), first_row(amount)
        bright = np.flatnonzero(light[: len(light) // 2] > 90)
        ends.append(first + bright[-1])
    assert abs(ends[1] - ends[0]) <= 1


@pytest.mark.parametrize("sigma", [0.8, 1.5, 3.0])
def test_the_paint_is_as_soft_as_the_picture_it_lies_in(sigma):
    edge = np.zeros((40, 60, 3), np.uint8)
    edge[:, 30:] = 200
    edge[25:, :] //= 2
    soft = cv2.GaussianBlur(edge, (0, 0), sigma)
    assert softness(soft) == pytest.approx(sigma, rel=0.15)
    assert softness(soft.astype(np.uint16) * 257) == pytest.approx(softness(soft), rel=0.01)
    assert softness(edge) < 0.5
