"""What FFmpeg knows of a decoded frame and PyAV does not tell: field order and chroma place.

libavfilter is asked instead; a frame is pushed by reference, so no sample is copied.
"""

from __future__ import annotations

import re
from enum import IntEnum

import av
from av.filter import Graph
from av.filter.context import FilterContext

from pipeline.media.planes import VideoFrame

PLACE = re.compile(r"\bcl:(\w+)")
NO_PLACE = "unspecified"


class FieldOrder(IntEnum):
    """libavfilter's `interlace_type`."""

    PROGRESSIVE = 0
    TOP_FIRST = 1
    BOTTOM_FIRST = 2


class FieldReader:
    """Reads the field order of one video's frames."""

    def __init__(self) -> None:
        self._chain: tuple[Graph, FilterContext, FilterContext] | None = None

    def read(self, frame: VideoFrame) -> FieldOrder:
        """The order of a frame's fields; frames must come in the order they are shown."""
        if not frame.interlaced_frame:
            return FieldOrder.PROGRESSIVE
        if self._chain is None:
            only_top_first = f"eq(interlace_type,{int(FieldOrder.TOP_FIRST)})"
            self._chain = _chain(frame, ("select", only_top_first))
        _, source, sink = self._chain
        source.push(frame)
        try:
            sink.pull()
        except (av.BlockingIOError, av.EOFError):  # `select` has dropped it
            return FieldOrder.BOTTOM_FIRST
        return FieldOrder.TOP_FIRST


def field_order_of(frame: VideoFrame) -> FieldOrder:
    """The order of one frame's fields."""
    return FieldReader().read(frame)


def _chain(
    frame: VideoFrame, *filters: tuple[str, str]
) -> tuple[Graph, FilterContext, FilterContext]:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base,
    )
    last = source
    for name, arguments in filters:
        added = graph.add(name, arguments)
        last.link_to(added)
        last = added
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    return graph, source, sink


def chroma_place(frame: VideoFrame) -> str:
    """Where chroma samples lie between luma samples: FFmpeg's name, `left`, `topleft`, `center` …

    `unspecified` where nobody said so; the graph logs it, and PyAV has no other way to ask.
    """
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as logged:
            _, source, sink = _chain(frame, ("sidedata", "mode=delete"), ("showinfo", "checksum=0"))
            source.push(frame)
            sink.pull()
    finally:
        av.logging.set_level(level)
    told = next((PLACE.search(line) for _, name, line in logged if name == "showinfo"
                 and PLACE.search(line)), None)  # fmt: skip
    return told.group(1) if told else NO_PLACE
