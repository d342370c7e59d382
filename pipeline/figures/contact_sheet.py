"""The contact sheet: frames before an edit above those after it, and the face enlarged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from numpy.typing import NDArray

from engines.interface import RGBFrame
from pipeline.errors import PipelineError
from pipeline.files import published

SHEET_WIDTH_PX = 1600
COLUMNS_MAX = 6
CELL_WIDTH_MAX_PX = 384
CELL_HEIGHT_MAX_PX = 384
FACE_ZOOM = 1.5
"""Side of the enlarged square, in the longer sides of the face's box."""
MARGIN_PX, GUTTER_PX, GAP_PX = 20, 26, 6
TITLE_PX, LABEL_PX = 46, 26
TITLE_POINTS, LABEL_POINTS = 13.0, 9.5
PAPER = 24  # dark and neutral, so that the pictures are judged and not the page
_DPI = 100


@dataclass(frozen=True)
class _Layout:
    """Pixel places on one sheet of `columns` × `blocks` moments, `rows` pictures each."""

    columns: int
    blocks: int
    rows: int
    cell: tuple[int, int]
    face: int

    @property
    def heights(self) -> list[int]:
        return [self.cell[1]] * 2 + [self.face] * (self.rows - 2)

    @property
    def block_height(self) -> int:
        return LABEL_PX + sum(self.heights) + GAP_PX * self.rows + MARGIN_PX // 2

    @property
    def size(self) -> tuple[int, int]:
        width = self.columns * (self.cell[0] + GAP_PX) - GAP_PX
        return (
            2 * MARGIN_PX + GUTTER_PX + width,
            TITLE_PX + self.blocks * self.block_height + MARGIN_PX // 2,
        )

    def corner(self, moment: int, row: int) -> tuple[int, int]:
        """Upper left pixel of a picture's place; row −1 is the label's."""
        block, column = divmod(moment, self.columns)
        x = MARGIN_PX + GUTTER_PX + column * (self.cell[0] + GAP_PX)
        y = TITLE_PX + block * self.block_height
        if row >= 0:
            y += LABEL_PX + sum(h + GAP_PX for h in self.heights[:row])
        return x, y


def contact_sheet(
    path: Path,
    before: Sequence[RGBFrame],
    after: Sequence[RGBFrame],
    labels: Sequence[str],
    title: str,
    *,
    face_boxes: Sequence[NDArray[np.floating]] | None = None,
    names: tuple[str, str] = ("before", "after"),
) -> Path:
    """Writes a PNG of frame pairs, at most 1600 px wide, six moments to a row.

    Args:
        path: the PNG; replaced whole or not at all.
        before, after: `(H, W, 3)` uint8 RGB; the same moments, sizes may differ.
        labels: one per moment, e.g. its time.
        title: above all; characters the font lacks are shown as boxes.
        face_boxes: `(4,)` x0, y0, x1, y1 per moment, pixels of its `before` frame; adds a row pair
            with the face enlarged. An empty or non-finite box leaves that place blank.
        names: what stands beside the two rows.

    Returns:
        `path`.

    Raises:
        PipelineError: no frames, lengths that differ, frames of another kind, a folder that is
            not there.
    """
    _check(before, after, labels, face_boxes)
    boxes = list(face_boxes) if face_boxes is not None else []
    layout = _layout(before[0].shape, len(before), 4 if boxes else 2)
    canvas = np.full((layout.size[1], layout.size[0], 3), PAPER, np.uint8)
    for moment, pair in enumerate(zip(before, after, strict=True)):
        for row, frame in enumerate(pair):
            _place(canvas, _fitted(frame, layout.cell), layout.corner(moment, row), layout.cell)
        square = _face_square(boxes[moment], pair[0].shape) if boxes else None
        if square is not None:
            side = (layout.cell[0], layout.face)
            for row, frame in enumerate(pair, start=2):
                zoomed = _fitted(_cut(frame, square, pair[0].shape), (layout.face, layout.face))
                _place(canvas, zoomed, layout.corner(moment, row), side)
    _write(path, _lettered(canvas, layout, labels, title, names))
    return path


def _check(
    before: Sequence[RGBFrame],
    after: Sequence[RGBFrame],
    labels: Sequence[str],
    boxes: Sequence[NDArray[np.floating]] | None,
) -> None:
    counts = [len(before), len(after), len(labels)] + ([] if boxes is None else [len(boxes)])
    if len(set(counts)) != 1 or counts[0] == 0:
        names = "before, after, labels" + ("" if boxes is None else ", face boxes")
        raise PipelineError(
            f"contact sheet: got {', '.join(map(str, counts))} {names}; expected equal, at least 1"
        )
    for frame in [*before, *after]:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
            raise PipelineError(
                f"contact sheet: got a frame of {frame.dtype} {frame.shape}; "
                "expected uint8 (H, W, 3)"
            )
    for box in boxes or []:
        if np.shape(box) != (4,):
            raise PipelineError(
                f"contact sheet: got a face box of shape {np.shape(box)}; expected (4,)"
            )


def _layout(shape: tuple[int, ...], moments: int, rows: int) -> _Layout:
    columns = min(moments, COLUMNS_MAX)
    room = SHEET_WIDTH_PX - 2 * MARGIN_PX - GUTTER_PX - (columns - 1) * GAP_PX
    width = min(room // columns, CELL_WIDTH_MAX_PX)
    height = max(1, round(width * shape[0] / shape[1]))
    if height > CELL_HEIGHT_MAX_PX:
        height = CELL_HEIGHT_MAX_PX
        width = max(160, round(height * shape[1] / shape[0]))
    return _Layout(columns, -(-moments // columns), rows, (width, height), min(width, 320))


def _fitted(frame: RGBFrame, room: tuple[int, int]) -> RGBFrame:
    """The whole frame at the largest size that fits `room` (width, height)."""
    scale = min(room[0] / frame.shape[1], room[1] / frame.shape[0])
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, size, interpolation=how), np.uint8)


def _place(
    canvas: RGBFrame, picture: RGBFrame, corner: tuple[int, int], room: tuple[int, int]
) -> None:
    height, width = picture.shape[:2]
    x, y = corner[0] + (room[0] - width) // 2, corner[1] + (room[1] - height) // 2
    canvas[y : y + height, x : x + width] = picture


def _face_square(
    box: NDArray[np.floating], shape: tuple[int, ...]
) -> tuple[float, float, float] | None:
    """Left, top and side of the square to enlarge, moved into the frame; None where no face is."""
    x0, y0, x1, y1 = (float(v) for v in box)
    longer = max(x1 - x0, y1 - y0)
    if not np.isfinite([x0, y0, x1, y1]).all() or min(x1 - x0, y1 - y0) <= 0.0:
        return None
    side = min(max(FACE_ZOOM * longer, 8.0), *shape[:2])
    left = np.clip((x0 + x1 - side) / 2, 0.0, shape[1] - side)
    top = np.clip((y0 + y1 - side) / 2, 0.0, shape[0] - side)
    return float(left), float(top), float(side)


def _cut(frame: RGBFrame, square: tuple[float, float, float], shape: tuple[int, ...]) -> RGBFrame:
    """The square, which is in pixels of a frame of `shape`, out of this frame."""
    height, width = frame.shape[:2]
    sx, sy = width / shape[1], height / shape[0]
    left, top, side = square
    x0, y0 = min(round(left * sx), width - 1), min(round(top * sy), height - 1)
    x1, y1 = max(x0 + 1, round((left + side) * sx)), max(y0 + 1, round((top + side) * sy))
    return frame[y0:y1, x0:x1]


def _lettered(
    canvas: RGBFrame, layout: _Layout, labels: Sequence[str], title: str, names: tuple[str, str]
) -> Figure:
    height, width = canvas.shape[:2]
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    FigureCanvasAgg(figure)
    figure.figimage(canvas, 0, 0, origin="upper")

    def write(text: str, x: float, y: float, size: float, **style: Any) -> None:
        plain = {"color": "0.92", "va": "center", "parse_math": False}
        figure.text(x / width, 1.0 - y / height, text, fontsize=size, **plain, **style)

    room = width - 2 * MARGIN_PX
    write(_fitting(title, TITLE_POINTS, room), MARGIN_PX, TITLE_PX / 2, TITLE_POINTS)
    for moment, label in enumerate(labels):
        x, y = layout.corner(moment, -1)
        text = _fitting(label, LABEL_POINTS, layout.cell[0])
        write(text, x + layout.cell[0] / 2, y + LABEL_PX / 2, LABEL_POINTS, ha="center")
    for first in range(0, len(labels), layout.columns):
        for row, place in enumerate(layout.heights):
            x, y = MARGIN_PX + GUTTER_PX / 2 - 2, layout.corner(first, row)[1] + place / 2
            write(names[row % 2], x, y, LABEL_POINTS, ha="center", rotation=90.0)
    return figure


def _fitting(text: str, points: float, room_px: float) -> str:
    """The text on one line, □ for what the font lacks, its middle left out where it is too long."""
    font = get_font(findfont(FontProperties()))
    known = font.get_charmap()
    text = "".join(c if ord(c) in known else "□" for c in " ".join(text.split()))
    font.set_size(points, _DPI)
    kept, shown = len(text), text
    while kept > 2:
        font.set_text(shown)
        if font.get_width_height()[0] / 64 <= room_px:
            break
        kept -= max(2, kept // 16)
        shown = f"{text[: kept // 2]}…{text[-(kept // 2) :]}"
    return shown


def _write(path: Path, figure: Figure) -> None:
    try:
        with published(path) as part:
            figure.savefig(part, format="png", dpi=_DPI, metadata={"Software": None})
    except OSError as error:
        raise PipelineError(f"contact sheet {path}: {error.strerror or error}") from error
