"""A mouth that is open and opens further: its own inside goes with skull and jaw, as one mouth."""

import cv2
import numpy as np
import pytest

from engines.editors.previz.editor import PrevizEditor
from engines.editors.rig.colours import mouth_colours
from engines.editors.rig.face import control_points, face_frame
from engines.editors.rig.own_inside import parting
from engines.interface import AlignedCrops
from keyframes.au import AU_COLUMN, AUDelta
from tests.engines.editors.rig.test_warp import SIZE, canonical_landmarks

SKIN, LIP, TEETH, HOLLOW, TONGUE = (
    np.array(colour)
    for colour in ((200, 150, 125), (190, 95, 95), (225, 215, 200), (45, 25, 25), (165, 80, 85))
)


def face(gap, *inside):
    """A crop and its landmarks: between the lips colours, each down to a share of the opening."""
    points = canonical_landmarks(gap=gap)
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    cv2.fillPoly(image, [np.rint(points[48:60]).astype(np.int32)], LIP.tolist())
    top, bottom = float(points[62, 1]), float(points[66, 1])
    layer = image.copy()
    for colour, share in inside[::-1]:
        layer[: round(top + share * (bottom - top)) + 1] = colour
    hole = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(hole, [np.rint(points[60:68]).astype(np.int32)], 1)
    image[hole > 0] = layer[hole > 0]
    return cv2.GaussianBlur(image, (0, 0), 0.8), points


def opened(image, points, amount):
    """The column through the middle of the mouth, `(rows, 3)`, from the upper lip to the chin."""
    values = np.zeros((1, 12), np.float32)
    values[0, AU_COLUMN[26]] = amount
    crops = AlignedCrops(image[None], points[None], np.zeros(1, np.int64))
    edited = PrevizEditor(SIZE).edit(crops, AUDelta(values), seed=0).edited[0]
    x = round(float(points[62, 0]))
    return edited[round(float(points[51, 1])) : round(float(points[8, 1])), x].astype(float)


def runs(column, *colours):
    """Which of the colours follow each other down a column, and over how many rows: more than 2."""
    which = np.argmin([np.abs(column - colour).sum(axis=1) for colour in colours], axis=0)
    starts = np.flatnonzero(np.diff(which, prepend=-1))
    lengths = np.diff([*starts, len(which)])
    found = zip(which[starts].tolist(), lengths.tolist(), strict=True)
    return [(part, length) for part, length in found if length > 2]  # the rest are soft edges


@pytest.mark.parametrize("amount", [2.0, 4.0, 5.0])
def test_lower_teeth_stay_at_the_lower_lip_and_the_hollow_is_one(amount):
    image, points = face(0.14, (TEETH, 0.3), (HOLLOW, 0.75), (TEETH, 1.0))
    found = runs(opened(image, points, amount), SKIN, LIP, TEETH, HOLLOW)
    assert [part for part, _ in found if part] == [1, 2, 3, 2, 1]
    before = runs(opened(image, points, 0.0), SKIN, LIP, TEETH, HOLLOW)
    now, was = ([length for part, length in one if part == 2] for one in (found, before))
    assert np.divide(now, was) == pytest.approx(np.ones(2), abs=0.35)


def test_teeth_that_reach_the_lower_lip_go_with_the_upper_one_whole():
    image, points = face(0.12, (TEETH, 1.0))
    (was,) = (n for part, n in runs(opened(image, points, 0.0), SKIN, LIP, TEETH) if part == 2)
    found = runs(opened(image, points, 4.0), SKIN, LIP, TEETH, HOLLOW)
    assert [part for part, _ in found if part] == [1, 2, 3, 1]
    (now,) = (length for part, length in found if part == 2)
    assert now == pytest.approx(was, abs=3)


def test_a_tongue_is_drawn_out_and_no_paint_lies_over_it():
    image, points = face(0.36, (TEETH, 0.15), (TONGUE, 0.85), (HOLLOW, 1.0))
    found = runs(opened(image, points, 3.0), SKIN, LIP, TEETH, HOLLOW, TONGUE)
    tongue = max(length for part, length in found if part == 4)
    before = runs(opened(image, points, 0.0), SKIN, LIP, TEETH, HOLLOW, TONGUE)
    assert tongue > 1.2 * max(length for part, length in before if part == 4)


def test_where_a_mouth_parts_changes_slowly_with_what_it_shows():
    last = None
    for share in np.linspace(0.2, 0.7, 21):
        image, points = face(0.2, (TEETH, share), (HOLLOW, 0.8), (TEETH, 1.0))
        frame = face_frame(points)
        now = parting(mouth_colours(frame, control_points(frame, points), image))
        assert 0.0 < now.low < now.high < 1.0
        if last is not None:
            assert abs(now.low - last.low) < 0.08
            assert abs(now.high - last.high) < 0.08
        last = now
