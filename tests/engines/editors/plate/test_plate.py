"""The editor that borrows: what a mouth shows that opens, with a donor and without."""

import numpy as np
import pytest

from engines.editors.plate.editor import PlateEditor
from engines.editors.previz.editor import PrevizEditor
from engines.interface import AlignedCrops
from engines.lent import Lent, LentMouth
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_COLUMN, AUDelta
from pipeline.demo.acting import Performance
from pipeline.demo.face import TalkingHead, photograph

SIZE = 424


@pytest.fixture(scope="module")
def shut_and_open():
    """The demo's face, its mouth shut and talking, and their landmarks: one skull, one light."""
    head, tracker = TalkingHead(photograph()), MeshTracker()
    found = []
    for opening in (0.0, 1.0):
        acting = Performance(np.array([opening]), *(np.zeros(1) for _ in range(5)))
        picture = head.at(acting, 0)[40 : 40 + SIZE, 250 : 250 + SIZE].copy()
        ((face,),) = tracker.track([picture])
        found.append((picture, face.landmarks_px))
    return found


def lent_by(picture, landmarks_px, weight=1.0, shift=(0.0, 0.0)):
    """A patch of 159 pixels around the mouth, lent to a crop in which the skull lies shifted."""
    corner = np.rint(landmarks_px[48:68].mean(axis=0) - 80).astype(int)
    patch = picture[corner[1] : corner[1] + 159, corner[0] : corner[0] + 159].copy()
    where = np.column_stack([np.eye(2), corner + np.array(shift)])
    return LentMouth(7, patch, (landmarks_px - corner).astype(np.float32), where, weight)


def edit(editor, picture, landmarks_px, mouth=None, **units):
    values = np.zeros((1, 12), np.float32)
    for name, value in units.items():
        values[0, AU_COLUMN[int(name[2:])]] = value
    crops = AlignedCrops(
        picture[None], landmarks_px[None], np.zeros(1, np.int64), lent=(Lent(mouth),)
    )
    return editor.edit(crops, AUDelta(values), seed=0)


def test_nothing_asked_gives_every_bit_back_whatever_is_lent(shut_and_open):
    (picture, points), donor = shut_and_open
    result = edit(PlateEditor(SIZE), picture, points, lent_by(*donor))
    assert np.array_equal(result.edited[0], picture)
    assert not result.mask.any()
    assert result.notes == ()


def test_a_mouth_that_opens_shows_the_donors_teeth_and_not_a_slot(shut_and_open):
    (picture, points), (open_picture, open_points) = shut_and_open
    units = {"AU25": 3.0}
    slot = edit(PrevizEditor(SIZE), picture, points, **units).edited[0].astype(float)
    result = edit(PlateEditor(SIZE), picture, points, lent_by(open_picture, open_points), **units)
    lent = result.edited[0].astype(float)
    assert result.notes == ("mouth lent by frame 7",)
    # Held out: at the same place of the skull the open frame itself shows what should be there.
    x0, x1 = points[61, 0], points[63, 0]
    seam = round(points[62, 1])
    inside = np.s_[seam + 1 : seam + 7, int(x0) : int(x1)]
    truth = open_picture[inside].astype(float)
    assert np.abs(lent[inside] - truth).mean() < 0.8 * np.abs(slot[inside] - truth).mean()
    changed = (lent != slot).any(axis=-1)
    assert 0 < changed.sum() < 0.02 * changed.size  # the inside of the mouth, and nothing else


def test_below_what_the_donor_shows_its_teeth_end_and_paint_goes_on(shut_and_open):
    (picture, points), donor = shut_and_open
    units = {"AU25": 4.0, "AU26": 4.0}
    paint = edit(PrevizEditor(SIZE), picture, points, **units).edited[0].astype(int)
    lent = edit(PlateEditor(SIZE), picture, points, lent_by(*donor), **units).edited[0].astype(int)
    x, seam = np.rint(points[62]).astype(int)
    column = np.abs(lent - paint)[seam : seam + 60, x - 4 : x + 5].mean(axis=(1, 2))
    last = int(np.flatnonzero(column > 2.0)[-1])
    ends = donor[1][66, 1] - seam  # the donor's lower lip, on the same skull
    assert last <= ends + 2
    assert column[: last - 2].max() > 30


def test_what_is_lent_fades_in_with_its_weight_and_nothing_outside_the_mask_changes(shut_and_open):
    (picture, points), donor = shut_and_open
    half, whole, none = (
        edit(PlateEditor(SIZE), picture, points, lent_by(*donor, weight), AU25=3.0, AU26=1.0)
        for weight in (0.5, 1.0, 0.0)
    )
    middle = (whole.edited[0].astype(float) + none.edited[0]) / 2
    assert np.abs(half.edited[0] - middle).max() <= 1.0
    changed = (whole.edited[0] != picture).any(axis=-1)
    assert not changed[whole.mask[0] == 0].any()


def test_without_a_donor_it_is_the_preview_and_says_that_it_painted(shut_and_open):
    (picture, points), _ = shut_and_open
    ours = edit(PlateEditor(SIZE), picture, points, AU25=3.0, AU26=2.0)
    preview = edit(PrevizEditor(SIZE), picture, points, AU25=3.0, AU26=2.0)
    assert np.array_equal(ours.edited, preview.edited)
    (note,) = ours.notes
    assert note.startswith("mouth painted: no frame")


def test_light_is_taken_over_from_the_frame_that_borrows(shut_and_open):
    (picture, points), (open_picture, open_points) = shut_and_open
    dim = (picture * 0.7).astype(np.uint8)
    in_light = edit(PlateEditor(SIZE), picture, points, lent_by(open_picture, open_points), AU25=3)
    in_shade = edit(PlateEditor(SIZE), dim, points, lent_by(open_picture, open_points), AU25=3)
    x, y = np.rint(points[62] + [0, 4]).astype(int)
    mouth = np.s_[y - 2 : y + 3, x - 8 : x + 9]
    ratio = in_shade.edited[0][mouth].mean() / in_light.edited[0][mouth].mean()
    assert ratio == pytest.approx(0.7, abs=0.06)


def test_a_mouth_that_is_open_already_keeps_its_own_inside(shut_and_open):
    (_, _), (open_picture, open_points) = shut_and_open
    wide = open_points.copy()
    wide[[60, 61, 62, 63, 64], 1] -= 3
    wide[[65, 66, 67], 1] += 3
    strange = lent_by(255 - open_picture, open_points)
    ours = edit(PlateEditor(SIZE), open_picture, wide, strange, AU25=3.0)
    preview = edit(PrevizEditor(SIZE), open_picture, wide, AU25=3.0)
    assert np.abs(ours.edited.astype(int) - preview.edited).max() <= 1
