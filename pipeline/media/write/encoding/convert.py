"""A frame in another pixel format, for encoders that do not take its own."""

from __future__ import annotations

import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.reformatter import Interpolation

from pipeline.errors import MediaError
from pipeline.media.planes import VideoFrame, all_plane_views, sample_layout
from pipeline.media.read.frame_facts import FieldOrder, field_order_of

EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
"""swscale's most faithful way (specs: 78–102 dB for a round trip, 47 by default)."""


class FrameConverter:
    """Gives one video's frames in a pixel format.

    Only the depth differs: every sample is rounded to nearest, so no plane's mean moves. Else
    swscale converts, as exactly as it can. Which field comes first is said of the new frame too.
    """

    def __init__(self, pix_fmt: str) -> None:
        self._pix_fmt = pix_fmt
        self._fields: tuple[Graph, FilterContext, FilterContext] | None = None

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        if frame.format.name == self._pix_fmt:
            return frame
        convert = _rounded if _differs_in_depth(frame.format.name, self._pix_fmt) else _reformatted
        converted = convert(frame, self._pix_fmt)
        converted.pts, converted.time_base = frame.pts, frame.time_base
        converted.duration = frame.duration
        if not frame.interlaced_frame:
            return converted
        return self._with_fields(converted, field_order_of(frame))

    def _with_fields(self, frame: VideoFrame, order: FieldOrder) -> VideoFrame:
        if self._fields is None:
            self._fields = _field_setter(frame, order)
        _, source, sink = self._fields
        source.push(frame)
        shown = sink.pull()
        if not isinstance(shown, VideoFrame):
            raise TypeError(f"a video frame became {type(shown).__name__}")
        return shown


def _differs_in_depth(before: str, after: str) -> bool:
    try:
        old, new = sample_layout(before), sample_layout(after)
    except MediaError:
        return False
    return (
        old.bits != new.bits
        and old.is_rgb == new.is_rgb
        and (old.step_x, old.step_y) == (new.step_x, new.step_y)
        and old.has_alpha == new.has_alpha
        and len(old.planes) == len(new.planes)
    )


def _rounded(frame: VideoFrame, pix_fmt: str) -> VideoFrame:
    old, new = sample_layout(frame.format.name), sample_layout(pix_fmt)
    made = VideoFrame(frame.width, frame.height, pix_fmt)
    by = old.bits - new.bits
    for before, after in zip(all_plane_views(frame), all_plane_views(made), strict=True):
        if by > 0:
            wide = (before.astype(np.uint32) + (1 << (by - 1))) >> by
            after[...] = np.minimum(wide, new.full_scale)
        else:
            after[...] = before.astype(np.uint16) << -by
    for name in ("colorspace", "color_range", "color_primaries", "color_trc"):
        setattr(made, name, getattr(frame, name))
    return made


def _reformatted(frame: VideoFrame, pix_fmt: str) -> VideoFrame:
    return frame.reformat(format=pix_fmt, interpolation=int(EXACT))


def _field_setter(
    frame: VideoFrame, order: FieldOrder
) -> tuple[Graph, FilterContext, FilterContext]:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    setter = graph.add("setfield", "tff" if order == FieldOrder.TOP_FIRST else "bff")
    sink = graph.add("buffersink")
    graph.link_nodes(source, setter, sink)
    graph.configure()
    return graph, source, sink
