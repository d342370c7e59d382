"""How the pictures of two files differ: exactly, per plane, and where."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.info import VideoInfo
from pipeline.media.planes import VideoFrame, all_plane_views, sample_layout
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.frame_facts import FieldReader
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.side_data import COMPARED_KINDS, side_data_of

BLOCK = 16
EDIT_FACTOR = 16.0
"""A block whose error is this many times the picture's middle one was changed on purpose…"""
EDIT_FLOOR = 36.0
"""…if it is also above this mean square of 8-bit code values (6 code values), where losses end."""
MOST_EDITED = 0.6
"""Share of a picture's blocks beyond which a change is no edit of a face but a loss."""


@dataclass
class PictureFigures:
    """What the pictures of a file amount to against another's.

    Attributes:
        frames, exact: compared, and equal in every sample of every plane.
        edited: numbers of frames in which an area stands out; it is left out of the figures.
        exact_outside: of the edited ones, how many are equal outside that area.
        psnr: per plane, of each frame, dB; infinite where equal.
        shift: per plane, mean signed difference of each frame, code values.
        fields: how often each way (top, bottom, progressive) is another one.
        side_data: kinds of side data, in how many frames each differs.
    """

    frames: int = 0
    exact: int = 0
    edited: list[int] = field(default_factory=list[int])
    exact_outside: int = 0
    psnr: list[list[float]] = field(default_factory=list[list[float]])
    shift: list[list[float]] = field(default_factory=list[list[float]])
    alpha_exact: bool = True
    field_order_differs: int = 0
    side_data_differs: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def planes(self) -> int:
        return len(self.psnr[0]) if self.psnr else 0

    def mean_psnr(self, plane: int) -> float:
        """Over the frames' mean square errors, dB."""
        errors = [10 ** (-row[plane] / 10) for row in self.psnr]
        mean = sum(errors) / max(1, len(errors))
        return -10 * math.log10(mean) if mean else math.inf

    def worst_psnr(self, plane: int) -> float:
        return min((row[plane] for row in self.psnr), default=math.inf)

    def mean_shift(self, plane: int) -> float:
        return float(np.mean([row[plane] for row in self.shift])) if self.shift else 0.0


def compare_pictures(
    source: tuple[VideoInfo, FrameIndex],
    output: tuple[VideoInfo, FrameIndex],
    numbers: Sequence[int] | None = None,
) -> PictureFigures:
    """Decodes both files side by side.

    Args:
        numbers: frames to look at, rising; all by default.
    Raises:
        MediaError: a frame of either does not decode.
    """
    figures = PictureFigures()
    ways = FieldReader(), FieldReader()
    for number, before, after in _pairs(source, output, numbers):
        _compare_frame(figures, number, before, after, is_lossless=source[0].is_lossless)
        figures.field_order_differs += ways[0].read(before) != ways[1].read(after)
        _compare_side_data(figures, before, after)
    return figures


def first_difference(
    source: tuple[VideoInfo, FrameIndex],
    output: tuple[VideoInfo, FrameIndex],
    first: int,
    last: int,
) -> int | None:
    """The first of frames `first`…`last` (inclusive) that differs in a sample; None if none does.

    Raises:
        MediaError: a frame of either does not decode.
    """
    for number, before, after in _pairs_of_runs(source, output, [(first, last)]):
        views = zip(all_plane_views(before), all_plane_views(after), strict=True)
        if not all(np.array_equal(a, b) for a, b in views):
            return number
    return None


def _pairs(
    source: tuple[VideoInfo, FrameIndex],
    output: tuple[VideoInfo, FrameIndex],
    numbers: Sequence[int] | None,
) -> Iterator[tuple[int, VideoFrame, VideoFrame]]:
    last = min(len(source[1]), len(output[1])) - 1
    runs = [(0, last)] if numbers is None else [(n, n) for n in numbers if n <= last]
    return _pairs_of_runs(source, output, runs)


def _pairs_of_runs(
    source: tuple[VideoInfo, FrameIndex],
    output: tuple[VideoInfo, FrameIndex],
    runs: Sequence[tuple[int, int]],
) -> Iterator[tuple[int, VideoFrame, VideoFrame]]:
    for first, end in runs:
        befores = decode_range(source[0].path, *source, first, end)
        afters = decode_range(output[0].path, *output, first, end)
        for number, (before, after) in enumerate(zip(befores, afters, strict=True), first):
            yield number, before, after


def _compare_frame(
    figures: PictureFigures,
    number: int,
    before: VideoFrame,
    after: VideoFrame,
    *,
    is_lossless: bool,
) -> None:
    figures.frames += 1
    if _depth_and_chroma(before) != _depth_and_chroma(after):
        after = after.reformat(format=before.format.name)
    layout = sample_layout(before.format.name)
    views = list(zip(all_plane_views(before), all_plane_views(after), strict=True))
    if layout.has_alpha and not np.array_equal(*views[-1]):
        figures.alpha_exact = False
    if all(np.array_equal(a, b) for a, b in views):
        figures.exact += 1
        figures.psnr.append([math.inf] * len(views))
        figures.shift.append([0.0] * len(views))
        return
    differences = [a.astype(np.float32) - b for b, a in views]
    scale = 255.0 / layout.full_scale
    planes = differences if is_lossless else [differences[0] * scale]
    stands_out = _edited_blocks(planes, is_lossless=is_lossless)
    if stands_out is not None:
        figures.edited.append(number)
        differences = [_outside(d, stands_out) for d in differences]
        figures.exact_outside += not any(d.any() for d in differences)
    errors = [float(np.square(d).mean()) if d.size else 0.0 for d in differences]
    figures.psnr.append(
        [10 * math.log10(layout.full_scale**2 / e) if e else math.inf for e in errors]
    )
    figures.shift.append([float(d.mean()) if d.size else 0.0 for d in differences])


def _depth_and_chroma(frame: VideoFrame) -> str:
    return frame.format.name.replace("yuvj", "yuv")


def _edited_blocks(
    differences: list[NDArray[Any]], *, is_lossless: bool
) -> NDArray[np.bool_] | None:
    """`(H / BLOCK, W / BLOCK)`: the blocks that an edit changed; None where nothing stands out.

    Losses of coding lie all over a picture; an edit is an area far above them. Without losses all
    that differs is the edit, however faint.
    """
    height, width = (max(1, side // BLOCK) for side in differences[0].shape)
    error = np.max(
        [cv2.resize(np.square(d), (width, height), interpolation=cv2.INTER_AREA)
         for d in differences], axis=0,
    )  # fmt: skip
    middle = float(np.median(error))
    strong = error > (0.0 if is_lossless else max(EDIT_FLOOR, EDIT_FACTOR * middle))
    if not strong.any() or strong.mean() > MOST_EDITED:
        return None
    # The edit's soft rim is below the threshold: two blocks around belong to it.
    grown = cv2.dilate(strong.astype(np.uint8), np.ones((5, 5), np.uint8))
    return grown > 0


def _outside(difference: NDArray[Any], blocks: NDArray[np.bool_]) -> NDArray[Any]:
    """The samples of a plane outside the blocks, as one row."""
    size = difference.shape[1], difference.shape[0]
    mask = cv2.resize(blocks.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return difference[mask == 0]


def _compare_side_data(figures: PictureFigures, before: VideoFrame, after: VideoFrame) -> None:
    had, has = side_data_of(before), side_data_of(after)
    for kind, name in COMPARED_KINDS.items():
        if had.get(kind) != has.get(kind):
            figures.side_data_differs[name] = figures.side_data_differs.get(name, 0) + 1
