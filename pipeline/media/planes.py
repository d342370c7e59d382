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

__all__ = ["SampleLayout", "VideoFrame", "all_plane_views", "plane_views", "sample_layout"]

PLANAR = re.compile(
    r"(?:yuvj?|yuva|gbra?)(?:4[0-4][0-4])?p(?:(?:9|1[0-6])le)?|gray(?:9|1[0-6])?(?:le)?"
)
SEMI_PLANAR = ("nv12", "nv16", "nv24")
PACKED_RGB = ("rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "rgb0", "bgr0", "0rgb", "0bgr",
              "rgb48le", "rgba64le")  # fmt: skip


@dataclass(frozen=True)
class SampleLayout:
    """How a pixel format lays its samples out.

    Attributes:
        bits: per sample; deeper than 8 lies in 16-bit little-endian words, low bits used.
        step_x, step_y: luma samples per chroma sample.
        planes: plane of each component: Y, Cb, Cr or R, G, B; one for grey.
        interleaved: Cb and Cr alternate in one plane.
        is_rgb: components are R, G, B.
        packed: samples of a pixel, where all components share one plane; else 1.
        offsets: place of each component within a pixel, in samples; all 0 where not packed.
        alpha: the same for the alpha component: its plane and place; None without one.
    """

    bits: int
    step_x: int
    step_y: int
    planes: tuple[int, ...]
    interleaved: bool
    is_rgb: bool
    packed: int = 1
    offsets: tuple[int, ...] = (0, 0, 0)
    alpha: tuple[int, int] | None = None

    @property
    def has_alpha(self) -> bool:
        return self.alpha is not None

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
    if not PLANAR.fullmatch(pix_fmt) and pix_fmt not in (*SEMI_PLANAR, *PACKED_RGB):
        raise MediaError(
            f"cannot edit pixel format {pix_fmt}; known: planar yuv, gbr and gray of 8–16 bits "
            f"little-endian, {', '.join((*SEMI_PLANAR, *PACKED_RGB))}"
        )
    probe = VideoFormat(pix_fmt, 64, 64)
    colours = [c for c in probe.components if not c.is_alpha]
    alphas = [c for c in probe.components if c.is_alpha]
    packed = pix_fmt in PACKED_RGB
    letters = re.sub(r"\d{2}.*", "", pix_fmt) if packed else ""
    return SampleLayout(
        bits=colours[0].bits,
        step_x=64 // colours[-1].width,
        step_y=64 // colours[-1].height,
        planes=tuple(c.plane for c in colours),
        interleaved=pix_fmt in SEMI_PLANAR,
        is_rgb=probe.is_rgb,
        packed=len(letters) or 1,
        offsets=tuple(letters.index(c) for c in "rgb") if packed else (0, 0, 0),
        alpha=(alphas[0].plane, letters.index("a") if packed else 0) if alphas else None,
    )


def plane_views(frame: VideoFrame) -> list[NDArray[Any]]:
    """Each component's samples, `(H, W)` or `(H/step_y, W/step_x)`, uint8 or uint16: views.

    Order: Y, Cb, Cr, or R, G, B. Writing into them needs `frame.make_writable()` before; views
    taken earlier show the old samples then.
    """
    layout = sample_layout(frame.format.name)
    views: list[NDArray[Any]] = []
    for number, plane_number in enumerate(layout.planes):
        if layout.interleaved and number > 0:
            width = frame.planes[plane_number].width
            views.append(_rows(frame, layout, plane_number)[:, number - 1 : 2 * width : 2])
        else:
            views.append(_component(frame, layout, plane_number, layout.offsets[number]))
    return views


def all_plane_views(frame: VideoFrame) -> list[NDArray[Any]]:
    """Like plane_views, with the alpha component's samples last where there is one."""
    layout = sample_layout(frame.format.name)
    views = plane_views(frame)
    return views if layout.alpha is None else [*views, _component(frame, layout, *layout.alpha)]


def _component(frame: VideoFrame, layout: SampleLayout, plane: int, offset: int) -> NDArray[Any]:
    width = frame.planes[plane].width
    return _rows(frame, layout, plane)[:, offset : layout.packed * width : layout.packed]


def _rows(frame: VideoFrame, layout: SampleLayout, number: int) -> NDArray[Any]:
    """A plane's samples, line by line from the top, padding included."""
    plane = frame.planes[number]
    samples = np.frombuffer(memoryview(plane), layout.dtype)
    rows = samples.reshape(plane.height, abs(plane.line_size) // samples.itemsize)
    return rows[::-1] if plane.line_size < 0 else rows
