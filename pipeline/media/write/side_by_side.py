"""Before and after in one picture, over the whole clip: what a person looks at first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.files import published
from pipeline.media.opening import one_line_errors
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.inspection import Inspection
from pipeline.media.write.pictures import PictureWriter

HEIGHT_MAX_PX = 540
_BAR_PX = 4


def write_side_by_side(path: Path, before: Inspection, after: Inspection) -> Path:
    """Writes an MP4 without sound: the source on the left, the output on the right, frame by frame.

    Args:
        path: an `.mp4`; it appears whole or not at all.
        before, after: clips of as many frames.

    Raises:
        MediaError: clips of different lengths, or what reading and writing raise.
    """
    if before.frames != after.frames:
        raise MediaError(
            f"side by side: got {before.frames} and {after.frames} frames; expected as many"
        )
    width, height = _cell(before.info.display_size)
    size = (2 * width + _BAR_PX, height)
    pairs = zip(_frames(before), _frames(after), strict=True)
    index = before.index
    clock = before.info.time_base, before.info.frame_rate
    with (
        one_line_errors(path, "write the comparison"),
        published(path) as partial,
        PictureWriter(partial, size, *clock) as writer,
    ):
        for pts, (left, right) in zip(index.pts - index.pts[0], pairs, strict=True):
            writer.show(_joined(left, right, (width, height)), int(pts))
    return path


def _frames(clip: Inspection) -> Iterator[NDArray[np.uint8]]:
    frames = decode_range(clip.info.path, clip.info, clip.index, 0, clip.frames - 1)
    return (display_rgb(frame, clip.info) for frame in frames)


def _cell(display_size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of one half, even, at most HEIGHT_MAX_PX high."""
    width, height = display_size
    scale = min(1.0, HEIGHT_MAX_PX / height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _joined(
    left: NDArray[np.uint8], right: NDArray[np.uint8], cell: tuple[int, int]
) -> NDArray[np.uint8]:
    halves = [cv2.resize(half, cell, interpolation=cv2.INTER_AREA) for half in (left, right)]
    bar = np.full((cell[1], _BAR_PX, 3), 255, np.uint8)
    return np.ascontiguousarray(np.hstack([halves[0], bar, halves[1]]), np.uint8)
