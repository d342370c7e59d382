"""Given a face box, the crop is the official preprocessing's, position and samples.

The formula (box centre → (256, 256), 352 pixels for 1.5 box widths, bilinear, black outside) is
restated here in numpy floats, and its pictures are larger than any crop.
"""

import av
import cv2
import numpy as np
import pytest
from skimage import data

from pipeline.faces.align import crop_path, display_from_squares, face_squares, squares_of_boxes
from pipeline.media.colour import crop_rgb
from pipeline.media.planes import plane_views
from tests.pipeline.edit.test_composite import video_info

SIZE = 512
# Centre x, centre y, width.
BOXES = {
    "magnified": (402.3, 361.7, 151.0),
    "about as is": (377.5, 300.25, 236.4),
    "a little minified": (400.0, 420.0, 300.0),
    "over the frame's corner": (60.0, 80.6, 140.0),
}
HALVED = (450.0, 470.0, 440.0)


def frame_of(picture: np.ndarray) -> av.VideoFrame:
    """An RGB picture as a planar RGB frame: nothing is lost to chroma subsampling."""
    frame = av.VideoFrame(picture.shape[1], picture.shape[0], "gbrp")
    for view, channel in zip(plane_views(frame), picture.transpose(2, 0, 1), strict=True):
        view[...] = channel
    return frame


def our_crop(picture: np.ndarray, box: tuple[float, float, float]) -> np.ndarray:
    squares = squares_of_boxes(np.array([box[:2]]), np.array([box[2]]))
    (display_from_crop,) = display_from_squares(squares, SIZE)
    info = video_info("gbrp", picture.shape[1::-1])
    return crop_rgb(frame_of(picture), info, display_from_crop, SIZE)


def official_crop(picture: np.ndarray, box: tuple[float, float, float]) -> np.ndarray:
    """x_crop = 256 + 352 / (1.5 w) · (x − cx), read back bilinearly over a border of zeros."""
    scale = 352 / (1.5 * box[2])
    x = box[0] + (np.arange(SIZE) - 256) / scale
    y = box[1] + (np.arange(SIZE) - 256) / scale
    reach = SIZE
    padded = np.pad(picture.astype(np.float64), ((reach, reach), (reach, reach), (0, 0)))
    i, j = np.floor(x).astype(int) + reach, np.floor(y).astype(int) + reach
    s, t = (x - np.floor(x))[None, :, None], (y - np.floor(y))[:, None, None]
    top = padded[j][:, i] * (1 - s) + padded[j][:, i + 1] * s
    bottom = padded[j + 1][:, i] * (1 - s) + padded[j + 1][:, i + 1] * s
    return top * (1 - t) + bottom * t


def away_from_the_frames_edge(shape: tuple[int, ...], box: tuple[float, float, float]):
    """Where the official crop does not blend the frame's last row or column with black."""
    inside = np.full(shape, 255.0)
    whole = official_crop(inside, box)[..., 0]
    return (whole == 0) | (whole == 255)


@pytest.fixture(scope="module", params=["astronaut", "00025", "00381", "00512"])
def picture(request):
    """A picture larger than a crop: real surroundings, or an official crop amid its mirror."""
    if request.param == "astronaut":
        return cv2.resize(data.astronaut(), (900, 900), interpolation=cv2.INTER_CUBIC)
    folder = request.getfixturevalue("shared") / "media" / "magicface"
    crop = cv2.imread(str(folder / f"{request.param}.png"))
    if crop is None:
        pytest.skip("no official samples beside this checkout")
    return np.pad(crop[:, :, ::-1], ((200, 300), (250, 150), (0, 0)), mode="reflect")


@pytest.mark.parametrize("name", BOXES)
def test_samples_are_the_official_ones_rounded(picture, name):
    ours, official = our_crop(picture, BOXES[name]), official_crop(picture, BOXES[name])
    kept = away_from_the_frames_edge(picture.shape, BOXES[name])
    assert np.abs(ours - official)[kept].max() < 0.51
    assert (~kept).mean() < 0.005
    # The official crop fades to black over the frame's last pixel, ours stops: within that pixel.
    dark = official.max(axis=2) == 0
    assert (ours[dark & kept] == 0).all()


def test_a_face_twice_as_large_is_averaged_where_the_official_crop_skips_pixels(picture):
    """Plain bilinear reading flickers there; the place is the official one."""
    ours, official = our_crop(picture, HALVED), official_crop(picture, HALVED)
    shift, response = cv2.phaseCorrelate(*(np.float32(c).mean(axis=2) for c in (ours, official)))
    assert response > 0.5
    assert np.hypot(*shift) < 0.1
    blurred = cv2.GaussianBlur(official, (0, 0), 1.0)
    assert np.abs(cv2.GaussianBlur(ours.astype(np.float64), (0, 0), 1.0) - blurred).mean() < 2


def test_an_official_crop_is_its_own_crop():
    """The box of an official 512-pixel crop is 352 / 1.5 wide and sits at (256, 256)."""
    picture = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    assert np.array_equal(our_crop(picture, (256.0, 256.0, 352 / 1.5)), picture)


def test_a_still_face_gets_the_crop_of_its_box():
    points = np.random.default_rng(3).uniform(100, 300, (68, 2)).astype(np.float32)
    landmarks = np.repeat(points[None], 9, axis=0)
    path = crop_path(landmarks, np.arange(9) / 25, np.zeros(9, bool), SIZE)
    hull = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    width = 1.033 * (hull[1] - hull[0])[0]
    centre = (hull[0] + hull[1]) / 2 - [0, 0.174 * width]
    scale = 352 / (1.5 * width)
    corners = (np.array([[0, 0], [511, 511]]) - 256) / scale + centre
    for matrix in path:
        reached = np.array([[0, 0, 1], [511, 511, 1]]) @ matrix.T
        assert np.abs(reached - corners).max() < 1e-6
    assert np.allclose(face_squares(landmarks)[0], [*centre, 512 / scale])
