"""The fields of a frame, each as a picture of its own: every second line, where it lies.

Line k of a field is line 2k + parity of its frame, in every plane: chroma lines alternate between
the fields as luma lines do. A field is told its place by the affine `lines_from_coded`, so whoever
asks in the frame's coordinates is nowhere half a line off.

Source: ISO/IEC 13818-2 §6.1.1.8 and figure 6-2, ITU-T H.264 figure E-1 (where the chroma of 4:2:0
fields lies).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from av.video.format import VideoFormat
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from pipeline.media.planes import VideoFrame, plane_views


@dataclass(frozen=True)
class Field:
    """One field of a decoded frame; what is written into it is written into the frame.

    Attributes:
        parity: 0 the field of the top line, 1 the other.
    """

    frame: VideoFrame
    parity: int

    @property
    def width(self) -> int:
        return self.frame.width

    @property
    def height(self) -> int:
        """Its luma lines."""
        return (self.frame.height + 1 - self.parity) // 2

    @property
    def format(self) -> VideoFormat:
        return self.frame.format

    def make_writable(self) -> None:
        """As of a frame; views taken earlier show the old samples."""
        self.frame.make_writable()

    def alone(self) -> VideoFrame:
        """A copy of its lines as a frame of half the height."""
        made = VideoFrame(self.width, self.height, self.format.name)
        for there, here in zip(made.planes, self.frame.planes, strict=True):
            lines = _lines(here)[self.parity :: 2]
            into = _lines(there)
            width = min(lines.shape[1], into.shape[1])
            into[: len(lines), :width] = lines[: len(into), :width]
            into[len(lines) :, :width] = lines[-1, :width]  # an odd number of chroma lines
        made.colorspace, made.color_range = self.frame.colorspace, self.frame.color_range
        return made

    def in_frame(self, lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`(height, W, C)` picture of its lines → `(H, W, C)`: those between are interpolated."""
        whole = np.empty((self.frame.height, *lines.shape[1:]), lines.dtype)
        whole[self.parity :: 2] = lines
        between = whole[1 - self.parity :: 2]
        padded = np.concatenate([lines[:1], lines, lines[-1:]])[1 - self.parity :]
        above, below = padded[: len(between)], padded[1 : len(between) + 1]
        between[...] = cv2.addWeighted(above, 0.5, below, 0.5, 0).reshape(between.shape)
        return whole


Picture = VideoFrame | Field
"""What is cropped from and pasted into: a frame, or one of its fields."""


def coded_height(picture: Picture) -> int:
    """Luma lines of the frame that a picture is, or is a field of."""
    return picture.frame.height if isinstance(picture, Field) else picture.height


def lines_from_coded(picture: Picture) -> NDArray[np.float64]:
    """`(2, 3)`: pixel centres of the frame → those of the picture; of any plane."""
    if isinstance(picture, Field):
        return np.array([[1.0, 0.0, 0.0], [0.0, 0.5, -picture.parity / 2]])
    return np.eye(2, 3)


def picture_views(picture: Picture) -> list[NDArray[Any]]:
    """As `plane_views`, of the picture's own lines."""
    if isinstance(picture, Field):
        return [view[picture.parity :: 2] for view in plane_views(picture.frame)]
    return plane_views(picture)


def _lines(plane: VideoPlane) -> NDArray[np.uint8]:
    """A plane's bytes, line by line from the top."""
    data = np.frombuffer(memoryview(plane), np.uint8)
    rows = data.reshape(plane.height, abs(plane.line_size))
    return rows[::-1] if plane.line_size < 0 else rows
