"""A decoded frame's samples as arrays, without a copy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from pipeline.errors import MediaError

__all__ = ["SampleLayout", "VideoFrame", "plane_views", "sample_layout"]

PLANAR = re.compile(r"(?:yuvj?|yuva|gbra?)(?:4[0-4][0-4])?p(?:(?:9|1[0-6])le)?|gray(?:1[0-6]le)?")
SEMI_PLANAR = ("nv12", "nv16", "nv24")


@dataclass(frozen=True)
class SampleLayout:
    """How a pixel format lays its samples out.

    Attributes:
        bits: per sample; deeper than 8 lies in 16-bit little-endian words, low bits used.
        step_x, step_y: luma samples per chroma sample.
        planes: plane of each component: Y, Cb, Cr or R, G, B; one for grey.
        interleaved: Cb and Cr alternate in one plane.
        is_rgb: components are R, G, B.
    """

    bits: int
    step_x: int
    step_y: int
    planes: tuple[int, ...]
    interleaved: bool
    is_rgb: bool

    @property
    def full_scale(self) -> int:
        return (1 << self.bits) - 1

    @property
    def dtype(self) -> type[np.uint8 | np.uint16]:
        return np.uint8 if self.bits == 8 else np.uint16


@lru_cache(maxsize=64)
def sample_layout(pix_fmt: str) -> SampleLayout:
    """The layout of a pixel format whose samples can be edited in place.

    Raises:
        MediaError: packed, big-endian, palette, hardware or float formats.
    """
    if not PLANAR.fullmatch(pix_fmt) and pix_fmt not in SEMI_PLANAR:
        raise MediaError(
            f"cannot edit pixel format {pix_fmt}; known: planar yuv, gbr and gray of 8–16 bits "
            f"little-endian, {', '.join(SEMI_PLANAR)}"
        )
    probe = VideoFormat(pix_fmt, 64, 64)
    colours = [c for c in probe.components if not c.is_alpha]
    return SampleLayout(
        bits=colours[0].bits,
        step_x=64 // colours[-1].width,
        step_y=64 // colours[-1].height,
        planes=tuple(c.plane for c in colours),
        interleaved=pix_fmt in SEMI_PLANAR,
        is_rgb=probe.is_rgb,
    )


def plane_views(frame: VideoFrame) -> list[NDArray[Any]]:
    """Each component's samples, `(H, W)` or `(H/step_y, W/step_x)`, uint8 or uint16: views.

    Order: Y, Cb, Cr, or R, G, B. Writing into them needs `frame.make_writable()` before; views
    taken earlier show the old samples then.
    """
    layout = sample_layout(frame.format.name)
    planes = frame.planes
    views: list[NDArray[Any]] = []
    for number, plane_number in enumerate(layout.planes):
        plane = planes[plane_number]
        samples = np.frombuffer(memoryview(plane), layout.dtype)
        rows = samples.reshape(plane.height, abs(plane.line_size) // samples.itemsize)
        if plane.line_size < 0:
            rows = rows[::-1]
        if layout.interleaved and number > 0:
            views.append(rows[:, number - 1 : 2 * plane.width : 2])
        else:
            views.append(rows[:, : plane.width])
    return views
