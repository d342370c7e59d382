"""The background image against the three official samples, and on the astronaut without them."""

import cv2
import matplotlib
import numpy as np
import pytest
from skimage import data

from engines.editors.magicface.conditioning import masks
from engines.editors.magicface.conditioning.background import Conditioner, to_uint8
from engines.editors.magicface.conditioning.dots import DOT_COLOURS, jaw_dots, similarity
from engines.editors.magicface.conditioning.masks import (
    PersonSegmenter,
    face_mask,
    grabcut_person,
    paste_mask,
)
from engines.errors import EngineError
from engines.trackers.mesh.tracker import MeshTracker
from pipeline.faces.align import face_squares

SAMPLES = ("00025", "00381", "00512")


def _read(path):
    return np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])


def _iou(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.fixture(scope="module")
def tracker():
    return MeshTracker()


@pytest.fixture(scope="module", params=SAMPLES)
def sample(request, shared, tracker):
    """Official crop, its landmarks, and its official background image."""
    folder = shared / "media" / "magicface"
    if not folder.is_dir():
        pytest.skip("no official samples beside this checkout")
    crop = _read(folder / f"{request.param}.png")
    return crop, tracker.track([crop])[0][0].landmarks_px, _read(folder / f"{request.param}_bg.png")


@pytest.fixture(scope="module")
def astronaut(tracker):
    """A 512-pixel crop of a real face in the public domain, with its landmarks."""
    picture = data.astronaut()
    ((x, y, side),) = face_squares(tracker.track([picture])[0][0].landmarks_px[None])
    scale = 512 / side
    matrix = np.array([[scale, 0, 256 - scale * x], [0, scale, 256 - scale * y]])
    crop = cv2.warpAffine(picture, matrix, (512, 512))
    return crop, tracker.track([crop])[0][0].landmarks_px


def _official_person(background):
    """Black of an official background image, its dots filled in."""
    lit, dark = background.max(axis=2).astype(int), background.min(axis=2).astype(int)
    black = lit <= 2
    among_black = cv2.blur(black.astype(np.float32), (21, 21)) > 0.5
    return black | ((lit - dark > 60) & among_black)


def test_the_person_mask_agrees_with_the_official_samples(sample):
    crop, landmarks, background = sample
    masked, note = Conditioner().mask(crop, landmarks)
    assert _iou(masked, _official_person(background)) >= 0.95
    assert note == "mask person (segmenter)"


def test_the_whole_background_image_looks_like_the_official_one(sample):
    crop, landmarks, official = sample
    ours, _ = Conditioner().background(crop, landmarks)
    apart = np.abs(ours.astype(int) - official).max(axis=2)
    assert (apart <= 8).mean() > 0.96


def test_dots_have_the_official_colours_and_places(sample):
    _, landmarks, official = sample
    ours = jaw_dots(landmarks, 512)
    on_black = 0
    for colour, landmark in zip(DOT_COLOURS, landmarks[:17], strict=True):
        y, x = np.nonzero((ours == colour).all(axis=2))
        assert len(x) >= 4
        assert np.hypot(x.mean() - landmark[0], y.mean() - landmark[1]) < 1.5
        y, x = np.nonzero((official == colour).all(axis=2))
        near = np.hypot(x - landmark[0], y - landmark[1]) < 40
        on_black += bool(near.sum() >= 4)
    # The official dots are added to the picture: those outside the person have another colour.
    assert on_black >= 13


def test_dots_are_as_large_as_the_official_ones(shared, tracker):
    folder = shared / "media" / "magicface"
    if not folder.is_dir():
        pytest.skip("no official samples beside this checkout")
    crop, official = (_read(folder / f"00381{end}.png").astype(int) for end in ("", "_bg"))
    landmarks = tracker.track([crop.astype(np.uint8)])[0][0].landmarks_px

    def area(picture):
        return int((picture.max(axis=2) - picture.min(axis=2) > 60).sum())

    assert area(jaw_dots(landmarks, 512).astype(int)) == pytest.approx(area(official), rel=0.05)


def test_there_are_17_dots_in_the_rainbow_of_matplotlib():
    rainbow = matplotlib.colormaps["rainbow"](np.linspace(0, 1, 70))[:17, :3]
    assert np.array_equal((255 * rainbow).astype(int)[:, ::-1], DOT_COLOURS)


def test_a_crop_found_again_in_a_larger_frame_is_the_same_within_a_pixel(sample):
    """The official crop, placed anywhere at any size, is cut out as it was from its landmarks."""
    _, landmarks, _ = sample
    scale, shift = 0.37, np.array([301.0, 147.0])
    (here,) = face_squares(landmarks[None])
    (there,) = face_squares((landmarks * scale + shift).astype(np.float32)[None])
    back = np.array([*(there[:2] - shift) / scale, there[2] / scale])
    assert np.abs(back[:2] - here[:2]).max() + abs(back[2] - here[2]) / 2 < 0.01


def test_the_fitted_box_is_as_close_to_the_official_crops_as_its_two_constants_allow(
    shared, tracker
):
    """The box came from a detector that is not here: this much is known, and no more."""
    folder = shared / "media" / "magicface"
    if not folder.is_dir():
        pytest.skip("no official samples beside this checkout")
    pictures = [_read(folder / f"{name}.png") for name in SAMPLES]
    landmarks = np.stack([faces[0].landmarks_px for faces in tracker.track(pictures)])
    squares = face_squares(landmarks)
    apart = np.hypot(*(squares[:, :2] - 256).T)
    assert (apart < [2.5, 11.5, 7.5]).all()
    assert (np.abs(squares[:, 2] / 512 - 1) < [0.005, 0.03, 0.025]).all()
    # Least squares of each constant over the three crops lands on the constants in use.
    hull = np.ptp(landmarks, axis=1)
    middle = (landmarks.min(axis=1) + landmarks.max(axis=1))[:, 1] / 2
    box = 352 / 1.5
    assert box * hull[:, 0].sum() / (hull[:, 0] ** 2).sum() == pytest.approx(1.033, rel=0.005)
    assert ((middle - 256) / box).mean() == pytest.approx(0.174, abs=0.003)


def test_the_similarity_is_the_one_that_made_the_points():
    points = np.random.default_rng(1).normal(size=(5, 2)) * 40
    turned = points @ np.array([[1.2, 0.5], [-0.5, 1.2]]) + [3, -7]
    matrix = similarity(points, turned)
    assert np.allclose(points @ matrix[:, :2].T + matrix[:, 2], turned)


@pytest.mark.parametrize("mode", ["person", "face"])
def test_the_background_is_black_where_masked_and_the_crop_elsewhere(astronaut, mode):
    crop, landmarks = astronaut
    conditioner = Conditioner(mode)
    masked, note = conditioner.mask(crop, landmarks)
    background, again = conditioner.background(crop, landmarks)
    dots = jaw_dots(landmarks, 512)
    plain = ~dots.any(axis=2)
    assert note == again
    assert mode in note
    assert (background[masked & plain] == 0).all()
    assert np.array_equal(background[~masked & plain], crop[~masked & plain])
    assert np.array_equal(background[masked], dots[masked])


def test_dots_are_added_to_the_picture_and_clamped(astronaut):
    crop, landmarks = astronaut
    nobody = Conditioner("face", lambda image: np.ones(image.shape[:2], bool))
    nobody.mask = lambda image, _: (np.zeros(image.shape[:2], bool), "")
    background, _ = nobody.background(crop, landmarks)
    expected = np.minimum(crop.astype(int) + jaw_dots(landmarks, 512), 255)
    assert np.array_equal(background, expected)


def test_the_face_mask_keeps_hair_and_clothes(astronaut):
    crop, landmarks = astronaut
    person, _ = Conditioner("person").mask(crop, landmarks)
    face, note = Conditioner("face").mask(crop, landmarks)
    assert note == "mask face (landmarks, segmenter)"
    assert not (face & ~person).any()
    assert 0.25 < face.sum() / person.sum() < 0.7
    inside = landmarks[27:].astype(int)
    assert face[inside[:, 1], inside[:, 0]].all()


def test_masks_degrade_to_grabcut_when_the_segmenter_loses_the_face(astronaut):
    crop, landmarks = astronaut
    blind = Conditioner("person", lambda image: np.zeros(image.shape[:2], bool))
    masked, note = blind.mask(crop, landmarks)
    assert note == "mask person (GrabCut: the segmenter lost the face)"
    assert _iou(masked, PersonSegmenter()(crop)) > 0.7
    assert np.array_equal(masked, blind.mask(crop, landmarks)[0])


def test_grabcut_finds_most_of_the_official_person(sample):
    crop, landmarks, background = sample
    assert _iou(grabcut_person(crop, landmarks), _official_person(background)) > 0.75


def test_the_paste_mask_is_soft_whole_on_the_face_and_nothing_at_the_border(astronaut):
    _, landmarks = astronaut
    mask = paste_mask(landmarks, 512)
    assert mask.dtype == np.float32
    assert mask[face_mask(landmarks, 512)].min() > 0.97
    assert mask.max() == pytest.approx(1)
    assert mask[[0, -1]].max() == mask[:, [0, -1]].max() == 0
    assert not ((mask > 0) & (mask < 1 / 512)).any()
    steps = np.abs(np.diff(mask, axis=0)).max()
    assert steps < 0.08
    chin = landmarks[8] + 0.25 * (landmarks[8] - landmarks[27])
    assert mask[int(chin[1]), int(chin[0])] > 0.9


def test_a_face_at_the_crops_edge_still_fades_out(astronaut):
    _, landmarks = astronaut
    mask = paste_mask(landmarks + np.float32([150, 120]), 512)
    assert mask[[0, -1]].max() == mask[:, [0, -1]].max() == 0
    assert np.abs(np.diff(mask, axis=1)).max() < 0.08


@pytest.mark.parametrize("size", [64, 128])
def test_small_crops_work_alike(astronaut, size):
    crop, landmarks = astronaut
    small = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    points = landmarks * np.float32(size / 512)
    background, note = Conditioner().background(small, points)
    assert background.shape == small.shape
    assert "segmenter" in note
    assert paste_mask(points, size).max() == pytest.approx(1)


def test_16_bit_crops_become_8_bit_by_rounding():
    assert to_uint8(np.array([[[0, 65535, 32896]]], np.uint16)).tolist() == [[[0, 255, 128]]]
    levels = np.arange(256, dtype=np.uint16).repeat(3).reshape(1, 256, 3)
    assert np.array_equal(to_uint8(levels * 257), levels)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((1, 8, 8, 4), np.uint8),
        np.zeros((1, 8, 8, 1), np.uint8),
        np.zeros((8, 8), np.uint8),
        np.zeros((1, 8, 8, 3), np.float32),
    ],
)
def test_what_is_not_rgb_is_refused(image):
    with pytest.raises(EngineError, match="expected RGB, uint8 or uint16") as error:
        to_uint8(image)
    assert str(image.shape) in str(error.value)


def test_an_unknown_mask_mode_is_refused():
    with pytest.raises(EngineError, match="no mask mode 'hair'; known: person, face"):
        Conditioner("hair")


def test_a_person_that_fills_the_crop_brings_the_face_mask_to_mind(astronaut):
    crop, landmarks = astronaut
    close = Conditioner("person", lambda image: np.ones(image.shape[:2], bool))
    assert close.mask(crop, landmarks)[1].endswith("--mask face leaves the model more to go by")
    assert "--mask face" not in Conditioner("person").mask(crop, landmarks)[1]
    assert "--mask face" not in Conditioner("face", close._segmenter).mask(crop, landmarks)[1]


@pytest.mark.parametrize("size", [64, 128, 512])
def test_a_paste_mask_is_that_of_the_whole_picture_drawn_at_once(astronaut, size):
    _, landmarks = astronaut
    draw = np.random.default_rng(size)
    for _ in range(6):
        scale, shift = draw.uniform(0.3, 2.5) * size / 512, draw.normal(0, 0.15 * size, 2)
        points = ((landmarks - 256) * scale + size / 2 + shift).astype(np.float32)
        drawn, whole = paste_mask(points, size), _whole_paste_mask(points, size)
        assert np.abs(drawn - whole).max() < 1e-6


def _whole_paste_mask(points, size):
    """The mask in floats over every row, as its docstring says it."""
    up = points[17:27].mean(axis=0) - points[33]
    hull = np.concatenate([masks._face_points(points), points[4:13] - 0.4 * up])
    face = masks._hull_mask(hull, size).astype(np.float32)
    feather = max(1.0, 0.04 * float(np.ptp(points[:17, 0])))
    reach, margin = 2 * round(2 * feather) + 1, round(3 * feather)
    grown = cv2.dilate(face, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    inner = np.zeros((size, size), np.float32)
    inner[margin : size - margin, margin : size - margin] = 1.0
    soft = cv2.GaussianBlur(grown * inner, (0, 0), feather, borderType=cv2.BORDER_CONSTANT)
    soft[soft < 1 / 512] = 0.0
    soft[[0, -1]] = soft[:, [0, -1]] = 0.0
    return np.minimum(soft, np.float32(1.0))
