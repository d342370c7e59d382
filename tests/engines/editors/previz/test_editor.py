"""The preview editor on a real face: what it changes, what it leaves, what it refuses."""

import cv2
import numpy as np
import pytest
from skimage import data

from engines.editors.previz.editor import PrevizEditor
from engines.editors.rig.points import MIRROR
from engines.errors import EngineError
from engines.interface import AlignedCrops, FaceEditor
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_COLUMN, AU_ORDER, AUDelta

SIZE = 512


@pytest.fixture(scope="module")
def tracker():
    return MeshTracker()


@pytest.fixture(scope="module")
def astronaut(tracker):
    """`(512, 512, 3)` uint8 crop and its `(68, 2)` landmarks; she smiles and shows her teeth."""
    frame = data.astronaut()
    ((face,),) = tracker.track([frame])
    width = 1.024 * np.ptp(face.mesh_px[:468, 0])
    centre = (face.mesh_px[:468, :2].min(axis=0) + face.mesh_px[:468, :2].max(axis=0)) / 2
    centre[1] -= 0.087 * width
    scale = 352 / (1.5 * width)
    crop_from_frame = np.column_stack([np.eye(2) * scale, SIZE / 2 - scale * centre])
    image = cv2.warpAffine(frame, crop_from_frame, (SIZE, SIZE), flags=cv2.INTER_CUBIC)
    landmarks_px = face.landmarks_px * scale + crop_from_frame[:, 2]
    return image, landmarks_px.astype(np.float32)


def asked(**units):
    """`asked(AU12=3)` → `(1, 12)` delta."""
    values = np.zeros((1, 12), np.float32)
    for name, value in units.items():
        values[0, AU_COLUMN[int(name[2:])]] = value
    return AUDelta(values)


def crops_of(image, landmarks_px):
    return AlignedCrops(image[None], landmarks_px[None], np.zeros(1, np.int64))


def edit(image, landmarks_px, **units):
    editor = PrevizEditor(size=len(image))
    return editor.edit(crops_of(image, landmarks_px), asked(**units), seed=0)


def shut_mouth(landmarks_px):
    """The same face with inner lips that touch."""
    shut = landmarks_px.copy()
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        shut[[upper, lower], 1] = landmarks_px[[upper, lower], 1].mean()
    return shut


def test_it_is_the_registered_editor_previz():
    editor = PrevizEditor(size=256, batch=4)
    assert isinstance(editor, FaceEditor)
    assert (editor.crop_size, editor.batch_size) == (256, 4)
    assert (PrevizEditor().crop_size, PrevizEditor().batch_size) == (512, 1)


def test_nothing_asked_gives_every_bit_back_under_an_empty_mask(astronaut):
    image, landmarks_px = astronaut
    result = edit(image, landmarks_px)
    assert np.array_equal(result.edited[0], image)
    assert np.array_equal(result.reference[0], image)
    assert not result.mask.any()


@pytest.mark.parametrize("number", AU_ORDER)
def test_not_one_sample_changes_outside_the_mask(astronaut, number):
    image, landmarks_px = astronaut
    for value in (-10, -3, 0.5, 3, 10):
        result = edit(image, landmarks_px, **{f"AU{number}": value})
        changed = (result.edited[0] != image).any(axis=-1)
        assert changed.any()
        assert not changed[result.mask[0] == 0].any()
        assert np.array_equal(result.reference[0], image)
        border = np.ones_like(changed)
        border[1:-1, 1:-1] = False
        assert not result.mask[0][border].any()


@pytest.mark.parametrize("number", AU_ORDER)
def test_the_mask_is_whole_where_pixels_visibly_change_and_fades_out(astronaut, number):
    image, landmarks_px = astronaut
    result = edit(image, landmarks_px, **{f"AU{number}": 4})
    mask = result.mask[0]
    change = np.abs(result.edited[0].astype(int) - image).max(axis=-1)
    assert mask[change > 8].min() == 1.0
    assert np.abs(np.diff(mask, axis=0)).max() < 0.25
    assert np.abs(np.diff(mask, axis=1)).max() < 0.25


def test_a_smile_moves_the_mouth_corners_out_and_up_as_measured_on_the_picture(astronaut, tracker):
    image, landmarks_px = astronaut
    result = edit(image, landmarks_px, AU12=3)
    ((before,),) = tracker.track([image])
    ((after,),) = tracker.track([result.edited[0]])
    eyes = np.linalg.norm(before.landmarks_px[45] - before.landmarks_px[36])
    way = (after.landmarks_px - before.landmarks_px) / eyes
    out = (way[54, 0] - way[48, 0]) / 2
    up = -(way[54, 1] + way[48, 1]) / 2 + way[[36, 45], 1].mean()
    assert out == pytest.approx(0.039, abs=0.012)
    assert up == pytest.approx(0.072, abs=0.015)  # .089 asked; she smiles already


def test_a_jaw_drop_opens_a_shut_mouth_onto_something_dark(astronaut):
    image, landmarks_px = astronaut
    shut = shut_mouth(landmarks_px)
    result = edit(image, shut, AU26=5)
    x, y = np.rint(shut[66] + [0, 10]).astype(int)
    lips = image[np.rint(shut[57, 1]).astype(int), x].mean()
    assert result.edited[0][y, x].mean() < 0.35 * lips


def test_teeth_are_not_drawn_out_with_a_dropped_jaw(astronaut):
    image, landmarks_px = astronaut
    result = edit(image, landmarks_px, AU26=6)
    column = np.rint(landmarks_px[66, 0]).astype(int)
    before = image[:, column].mean(axis=-1)
    after = result.edited[0][:, column].mean(axis=-1)
    lips = np.s_[int(landmarks_px[62, 1]) : int(landmarks_px[57, 1]) + 25]
    assert (after[lips] < 50).sum() >= 5  # dark under them
    assert (after[lips] > 180).sum() < 1.6 * (before[lips] > 180).sum()


@pytest.mark.parametrize("number", [5, 12, 17, 25, 26])
@pytest.mark.parametrize("mouth", ["open", "shut"])
def test_a_slow_curve_changes_the_picture_slowly(astronaut, number, mouth):
    image, landmarks_px = astronaut
    points = shut_mouth(landmarks_px) if mouth == "shut" else landmarks_px
    face = np.s_[130:440, 130:380]
    before = image[face].astype(int)
    for value in np.arange(0.04, 5.0, 0.62):
        first, second = (
            edit(image, points, **{f"AU{number}": value + step}).edited[0][face].astype(int)
            for step in (0.0, 0.04)
        )
        assert np.abs(second - first).mean() < 0.25
        assert (np.abs(second - first) > 60).mean() < 1e-3
        if value == 0.04:
            assert np.abs(first - before).mean() < 0.25


def test_a_smile_paints_no_dark_mouth(astronaut):
    image, landmarks_px = astronaut
    result = edit(image, shut_mouth(landmarks_px), AU12=4)
    x, y = np.rint(landmarks_px[[61, 63, 65, 67]].mean(axis=0)).astype(int)
    assert result.edited[0][y - 20 : y + 20, x - 30 : x + 30].min() >= image.min()
    assert result.edited[0][y, x].mean() > 100


def test_sixteen_bits_agree_with_eight(astronaut):
    image, landmarks_px = astronaut
    shut = shut_mouth(landmarks_px)
    units = {"AU12": 3, "AU1": 4, "AU26": 2}
    deep = edit(image.astype(np.uint16) * 257, shut, **units)
    flat = edit(image, shut, **units)
    assert deep.edited.dtype == np.uint16
    difference = np.abs(deep.edited / 257 - flat.edited)
    assert difference.max() <= 1.0
    assert difference.mean() < 0.3
    assert np.array_equal(deep.mask, flat.mask)


def test_the_same_call_gives_the_same_bytes_whatever_the_seed_and_the_batch(astronaut):
    image, landmarks_px = astronaut
    batch = AlignedCrops(
        np.stack([image, image[:, ::-1], image]),
        np.stack([landmarks_px, landmarks_px[np.r_[MIRROR[:68]]] * [-1, 1] + [SIZE - 1, 0]] * 2)[
            :3
        ].astype(np.float32),
        np.arange(3),
    )
    delta = AUDelta(np.repeat(asked(AU12=3, AU5=2).values, 3, axis=0))
    one = PrevizEditor(batch=3).edit(batch, delta, seed=1)
    alone = edit(image, landmarks_px, AU12=3, AU5=2)
    for result in (one.edited[0], one.edited[2]):
        assert np.array_equal(result, alone.edited[0])
    assert np.array_equal(one.mask[0], alone.mask[0])


def test_a_mirrored_face_changes_as_in_a_mirror(astronaut):
    image, landmarks_px = astronaut
    mirrored_px = landmarks_px[MIRROR[:68]] * [-1, 1] + [SIZE - 1, 0]
    units = {"AU12": 3, "AU4": 2, "AU26": 3}
    straight = edit(image, landmarks_px, **units)
    mirrored = edit(np.ascontiguousarray(image[:, ::-1]), mirrored_px.astype(np.float32), **units)
    difference = np.abs(straight.edited[0].astype(int) - mirrored.edited[0][:, ::-1])
    assert difference.max() <= 6
    assert difference.mean() < 0.05


def test_a_rolled_face_smiles_along_its_own_axes(astronaut, tracker):
    image, landmarks_px = astronaut
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), -30, 1.0)
    rolled = cv2.warpAffine(image, turn, (SIZE, SIZE))
    rolled_px = (landmarks_px @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    upright = edit(image, landmarks_px, AU12=4).edited[0]
    turned = edit(rolled, rolled_px, AU12=4).edited[0]
    middle = np.s_[96:416, 96:416]
    expected = cv2.warpAffine(upright, turn, (SIZE, SIZE))[middle].astype(int)
    unedited = np.abs(rolled[middle] - expected).mean()
    assert np.abs(turned[middle] - expected).mean() < 0.25 * unedited


@pytest.mark.parametrize("size", [128, 333, 1024])
def test_any_crop_size_gives_the_same_picture(astronaut, size):
    image, landmarks_px = astronaut
    scale = size / SIZE
    scaled = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    result = edit(scaled, (landmarks_px * scale).astype(np.float32), AU12=4, AU26=3)
    full = edit(image, landmarks_px, AU12=4, AU26=3)
    same = cv2.resize(full.edited[0], (size, size), interpolation=cv2.INTER_AREA)
    assert np.abs(result.edited[0].astype(int) - same).mean() < 1.5


def test_inputs_are_neither_changed_nor_given_back(astronaut):
    image, landmarks_px = astronaut
    crops, delta = crops_of(image.copy(), landmarks_px.copy()), asked(AU12=3)
    result = PrevizEditor().edit(crops, delta, seed=0)
    assert np.array_equal(crops.images[0], image)
    assert np.array_equal(crops.landmarks_px[0], landmarks_px)
    assert np.array_equal(delta.values, asked(AU12=3).values)
    assert not np.shares_memory(result.edited, crops.images)
    assert not np.shares_memory(result.reference, crops.images)


def test_a_face_beyond_the_crop_is_edited_as_far_as_it_shows(astronaut):
    image, landmarks_px = astronaut
    for shift in ([300, 0], [0, -280], [-700, 0]):
        result = edit(image, landmarks_px + np.float32(shift), AU12=5, AU26=5, AU1=5)
        assert not result.mask[0][[0, -1]].any()
        assert not result.mask[0][:, [0, -1]].any()


def test_bad_calls_say_what_was_got_and_what_is_expected(astronaut):
    image, landmarks_px = astronaut
    with pytest.raises(EngineError, match="got size 32; expected at least 64"):
        PrevizEditor(size=32)
    with pytest.raises(EngineError, match="got batch 0; expected at least 1"):
        PrevizEditor(batch=0)
    with pytest.raises(EngineError, match="got crops of 512 px; expected 640 px"):
        PrevizEditor(size=640).edit(crops_of(image, landmarks_px), asked(AU12=1), seed=0)
    two = AUDelta(np.ones((2, 12), np.float32))
    with pytest.raises(EngineError, match="got 2 deltas for 1 crops"):
        PrevizEditor().edit(crops_of(image, landmarks_px), two, seed=0)


def test_landmarks_no_face_can_have_are_refused_in_one_line(astronaut):
    image, landmarks_px = astronaut
    lost = landmarks_px.copy()
    lost[[3, 60]] = np.nan
    with pytest.raises(EngineError, match=r"got 2 landmarks not finite; expected 68 points$"):
        edit(image, lost, AU12=1)
    with pytest.raises(EngineError, match=r"got outer eye corners 0\.0 px apart"):
        edit(image, np.full_like(landmarks_px, 100), AU12=1)
    assert np.array_equal(edit(image, lost).edited[0], image)
