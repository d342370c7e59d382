from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.interface import RGBFrame
from pipeline.errors import PipelineError
from pipeline.figures.contact_sheet import PAPER, SHEET_WIDTH_PX, contact_sheet

RED, BLUE, WHITE = (200, 30, 30), (30, 30, 200), (255, 255, 255)


def plain(colour: tuple[int, int, int], height: int = 240, width: int = 320) -> RGBFrame:
    return np.full((height, width, 3), colour, np.uint8)


def with_face(colour: tuple[int, int, int], height: int = 240, width: int = 320) -> RGBFrame:
    """A plain frame with a white square of an eighth of its width, where FACE says."""
    frame = plain(colour, height, width)
    side = width // 8
    frame[height // 4 : height // 4 + side, width // 2 : width // 2 + side] = WHITE
    return frame


FACE = np.array([160, 60, 200, 100], np.float32)


def read(path: Path) -> RGBFrame:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return image[..., ::-1]


def area(image: RGBFrame, colour: tuple[int, int, int]) -> int:
    return int((np.abs(image.astype(int) - colour).max(axis=2) <= 3).sum())


def bounds(image: RGBFrame, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero(np.abs(image.astype(int) - colour).max(axis=2) <= 3)
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())


def test_before_stands_above_after_in_the_same_columns(tmp_path: Path) -> None:
    path = contact_sheet(tmp_path / "s.png", [plain(RED)] * 3, [plain(BLUE)] * 3, ["a"] * 3, "t")
    sheet = read(path)
    red, blue = bounds(sheet, RED), bounds(sheet, BLUE)
    assert red[3] < blue[1]
    assert (red[0], red[2]) == (blue[0], blue[2])
    assert area(sheet, RED) == area(sheet, BLUE)


@pytest.mark.parametrize(
    ("shape", "moments"),
    [((240, 320), 1), ((1080, 1920), 6), ((908, 480), 6), ((908, 480), 1), ((64, 64), 8)],
)
def test_the_sheet_is_modest_and_no_picture_is_stretched(
    tmp_path: Path, shape: tuple[int, int], moments: int
) -> None:
    height, width = shape
    pairs = [plain(RED, *shape)] * moments, [plain(BLUE, *shape)] * moments
    sheet = read(contact_sheet(tmp_path / "s.png", *pairs, ["0.00 s"] * moments, "t"))
    assert sheet.shape[1] <= SHEET_WIDTH_PX
    columns = np.abs(sheet.astype(int) - RED).max(axis=2) <= 3
    first = np.flatnonzero(np.diff(np.flatnonzero(columns.any(axis=0))) > 1)
    wide = int(first[0]) + 1 if len(first) else int(columns.any(axis=0).sum())
    breaks = np.flatnonzero(np.diff(np.flatnonzero(columns.any(axis=1))) > 1)
    high = int(breaks[0]) + 1 if len(breaks) else int(columns.any(axis=1).sum())
    assert wide / high == pytest.approx(width / height, rel=0.02)


def test_more_than_six_moments_go_to_a_second_band(tmp_path: Path) -> None:
    sheets = [
        read(contact_sheet(tmp_path / "s.png", [plain(RED)] * n, [plain(BLUE)] * n, ["x"] * n, "t"))
        for n in (6, 7)
    ]
    assert sheets[1].shape[1] == sheets[0].shape[1]
    assert sheets[1].shape[0] > 1.7 * sheets[0].shape[0]
    assert area(sheets[1], RED) == pytest.approx(area(sheets[0], RED) * 7 / 6)


def test_face_boxes_add_the_face_enlarged_from_both_frames(tmp_path: Path) -> None:
    frames = [with_face(RED)], [with_face(BLUE)]
    flat = read(contact_sheet(tmp_path / "a.png", *frames, ["x"], "t"))
    zoomed = read(contact_sheet(tmp_path / "b.png", *frames, ["x"], "t", face_boxes=[FACE]))
    assert zoomed.shape[0] > flat.shape[0]
    assert area(zoomed, WHITE) > 10 * area(flat, WHITE)
    extra = zoomed[flat.shape[0] :]
    assert area(extra, RED) > 0 or area(zoomed, RED) > area(flat, RED)
    assert area(zoomed, BLUE) > area(flat, BLUE)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_an_after_frame_of_another_size_shows_the_same_part_of_the_picture(
    tmp_path: Path, scale: float
) -> None:
    after = with_face(RED, round(240 * scale), round(320 * scale))
    sheet = read(
        contact_sheet(tmp_path / "s.png", [with_face(RED)], [after], ["x"], "t", face_boxes=[FACE])
    )
    ys = np.flatnonzero((np.abs(sheet.astype(int) - WHITE).max(axis=2) <= 3).sum(axis=1) > 100)
    bands = np.split(ys, np.flatnonzero(np.diff(ys) > 1) + 1)
    assert len(bands) == 2
    assert len(bands[0]) == pytest.approx(len(bands[1]), abs=8)


@pytest.mark.parametrize(
    "box",
    [
        np.zeros(4),
        np.array([10, 10, 5, 40]),
        np.full(4, np.nan),
        np.array([0, 0, np.inf, 10]),
    ],
)
def test_a_moment_without_a_face_leaves_its_place_blank(tmp_path: Path, box: np.ndarray) -> None:
    frames = [with_face(RED)] * 2, [with_face(BLUE)] * 2
    both = read(contact_sheet(tmp_path / "a.png", *frames, ["x"] * 2, "t", face_boxes=[FACE, FACE]))
    one = read(contact_sheet(tmp_path / "b.png", *frames, ["x"] * 2, "t", face_boxes=[FACE, box]))
    assert one.shape == both.shape
    assert area(one, (PAPER,) * 3) > area(both, (PAPER,) * 3) + 10_000
    np.testing.assert_array_equal(one[:, : one.shape[1] // 2], both[:, : one.shape[1] // 2])


@pytest.mark.parametrize(
    "box",
    [np.array([-50, -50, 20, 20]), np.array([300, 220, 400, 300]), np.array([0, 0, 900, 900])],
)
def test_a_box_that_leaves_the_frame_is_moved_into_it(tmp_path: Path, box: np.ndarray) -> None:
    frames = [plain(RED)], [plain(BLUE)]
    inside = read(contact_sheet(tmp_path / "a.png", *frames, ["x"], "t", face_boxes=[FACE]))
    across = read(contact_sheet(tmp_path / "b.png", *frames, ["x"], "t", face_boxes=[box]))
    np.testing.assert_array_equal(inside, across)


def test_names_of_any_script_and_length_are_lettered_inside_the_sheet(tmp_path: Path) -> None:
    title = (
        "日本語 \N{GRINNING FACE} $\\frac{broken$ " + "very_long_name_" * 40 + "\n\x00second line"
    )
    sheet = read(contact_sheet(tmp_path / "s.png", [plain(RED)], [plain(BLUE)], ["x" * 300], title))
    lettered = sheet.max(axis=2) > 120
    pictures = (np.abs(sheet.astype(int) - RED).max(axis=2) <= 40) | (
        np.abs(sheet.astype(int) - BLUE).max(axis=2) <= 40
    )
    text = lettered & ~pictures
    assert text[:46].sum() > 200
    assert not text[:, :8].any()
    assert not text[:, -8:].any()


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    frames = [with_face(RED)], [with_face(BLUE)]
    files = [
        contact_sheet(tmp_path / n, *frames, ["x"], "t", face_boxes=[FACE]) for n in ("a", "b")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_an_earlier_sheet_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "s.png"
    path.write_text("old")
    assert contact_sheet(path, [plain(RED)], [plain(BLUE)], ["x"], "t") == path
    assert area(read(path), RED) > 0
    assert [p.name for p in tmp_path.iterdir()] == ["s.png"]


def test_a_sheet_that_cannot_be_written_says_which_and_leaves_nothing(tmp_path: Path) -> None:
    frames = [plain(RED)], [plain(BLUE)]
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match=r"contact sheet .*file/s\.png: Not a directory"):
        contact_sheet(tmp_path / "file" / "s.png", *frames, ["x"], "t")
    with pytest.raises(PipelineError, match=r"contact sheet .*taken: Is a directory"):
        contact_sheet(tmp_path / "taken", *frames, ["x"], "t")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([], [], [], "t"), "got 0, 0, 0 before, after, labels; expected equal, at least 1"),
        (([plain(RED)], [], ["x"], "t"), "got 1, 0, 1 before"),
        (([plain(RED)], [plain(RED).astype(float)], ["x"], "t"), r"float64 \(240, 320, 3\)"),
        (([plain(RED)[..., 0]], [plain(RED)], ["x"], "t"), r"uint8 \(240, 320\); expected uint8"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(
    tmp_path: Path, arguments: tuple, says: str
) -> None:
    with pytest.raises(PipelineError, match=says) as caught:
        contact_sheet(tmp_path / "s.png", *arguments)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("boxes", "says"),
    [([], "got 1, 1, 1, 0 before, after, labels, face boxes"), ([FACE[:3]], r"shape \(3,\)")],
)
def test_face_boxes_that_do_not_fit_are_refused_in_one_line(
    tmp_path: Path, boxes: list[np.ndarray], says: str
) -> None:
    frames = [plain(RED)], [plain(BLUE)]
    with pytest.raises(PipelineError, match=says):
        contact_sheet(tmp_path / "s.png", *frames, ["x"], "t", face_boxes=boxes)
