"""Folds and eyes that other frames lend: on the face, and nowhere else."""

import numpy as np
import pytest

from engines.editors.plate.editor import PlateEditor
from engines.editors.plate.skin import SIDE, USED, from_chart, on_chart, points_on_chart
from engines.editors.previz.editor import PrevizEditor
from engines.editors.rig.face import control_points, face_frame
from engines.interface import AlignedCrops
from engines.lent import Lent, LentEyes
from keyframes.au import AU_COLUMN, AUDelta
from tests.engines.editors.rig.test_lids import face as face  # noqa: PLC0414 - a fixture
from tests.engines.editors.rig.test_warp import SIZE

LIDS = np.array([70, 130, 60])


def edit(face, lent, lids=(0.0, 0.0), editor=None, **units):
    image, points, _ = face
    values = np.zeros((1, 12), np.float32)
    for name, value in units.items():
        values[0, AU_COLUMN[int(name[2:])]] = value
    crops = AlignedCrops(image[None], points[None], np.zeros(1, np.int64), lent=(lent,))
    return (editor or PlateEditor(SIZE)).edit(crops, AUDelta(values, np.float32([lids])), seed=0)


@pytest.fixture(scope="module")
def blink(face):
    """The same face with its eyes painted over: what a blink shows."""
    image, points, eyes = face
    shut, lower = image.copy(), points.copy()
    for eye in eyes:
        shut[eye] = LIDS
    for upper, low in ((37, 41), (38, 40), (43, 47), (44, 46)):
        lower[upper] = lower[low] - [0, 1]
    return LentEyes(9, shut, lower, np.zeros(3, np.float32), np.zeros(2, np.float32))


def folds(level=-0.3):
    """A dark bar on each cheek."""
    chart = np.zeros((SIDE, SIDE), np.float32)
    chart[200:230, 100:112] = chart[200:230, SIDE - 112 : SIDE - 100] = level
    return chart


def test_the_chart_lies_on_the_face_where_its_points_are(face):
    image, points, _ = face
    chart = on_chart(image, points, None)
    assert chart.shape == (SIDE, SIDE, 3)
    frame = face_frame(points)
    at_px = frame.to_px(control_points(frame, points))
    x, y = np.mgrid[:SIDE, :SIDE].astype(np.float32)[::-1]
    back = np.stack([from_chart(v, at_px, (0, 0, SIZE, SIZE)) for v in (x, y)], axis=-1)
    for point in (27, 30, 48, 54, 8):
        column, row = np.rint(at_px[point]).astype(int)
        expected = points_on_chart()[list(USED).index(point)]
        assert back[row, column] == pytest.approx(expected, abs=3.0)


def test_folds_darken_the_skin_by_their_ratio_under_the_mask_alone(face):
    flat = edit(face, Lent(), AU12=1.0)
    folded = edit(face, Lent(folds=folds()), AU12=1.0)
    ratio = (folded.edited[0].astype(float) + 8) / (flat.edited[0].astype(float) + 8)
    assert np.percentile(ratio.min(axis=-1), 0.05) == pytest.approx(np.exp(-0.3), abs=0.03)
    changed = (folded.edited[0] != face[0]).any(axis=-1)
    assert not changed[folded.mask[0] == 0.0].any()
    assert np.abs(ratio - 1).max(axis=-1).mean() < 0.02


def test_nothing_asked_changes_nothing_whatever_is_lent(face, blink):
    lent = Lent(folds=folds(), eyes=(blink,), eyes_open=np.ones(2, np.float32))
    result = edit(face, lent)
    assert np.array_equal(result.edited[0], face[0])
    assert not result.mask.any()


def test_an_eye_that_shuts_shows_the_blinks_lid_and_its_twin_stays(face, blink):
    lent = Lent(eyes=(blink,), eyes_open=np.ones(2, np.float32))
    result = edit(face, lent, lids=(5.0, 0.0))
    own = edit(face, Lent(), lids=(5.0, 0.0), editor=PrevizEditor(SIZE))
    right = face[2][0]
    lid = np.abs(result.edited[0][right].astype(int) - LIDS).max(axis=-1)
    assert np.median(lid) < 30
    assert np.median(np.abs(own.edited[0][right].astype(int) - LIDS).max(axis=-1)) > 30
    assert np.array_equal(result.edited[0][:, SIZE // 2 :], face[0][:, SIZE // 2 :])
    changed = (result.edited[0] != face[0]).any(axis=-1)
    assert not changed[result.mask[0] == 0.0].any()


def test_an_eye_shuts_slowly_where_the_curve_does(face, blink):
    lent = Lent(eyes=(blink,), eyes_open=np.ones(2, np.float32))
    levels = np.linspace(0.0, 5.0, 41)
    seen = [edit(face, lent, lids=(v, v)).edited[0][face[2].any(axis=0)].mean() for v in levels]
    assert np.abs(np.diff(seen)).max() < 0.12 * (max(seen) - min(seen))


def test_a_blink_in_less_light_is_lit_as_the_frame_is(face, blink):
    dim = LentEyes(9, (blink.image * 0.8).astype(np.uint8), *list(vars(blink).values())[2:])
    parts = [
        edit(face, Lent(eyes=(one,), eyes_open=np.ones(2, np.float32)), lids=(5.0, 5.0))
        for one in (blink, dim)
    ]
    lit, of_dim = (part.edited[0][face[2][0]].astype(float).mean() for part in parts)
    assert of_dim == pytest.approx(lit, rel=0.06)
