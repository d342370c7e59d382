"""Interlaced footage whose truth is known: pictures of a progressive clip woven into fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.filter import Graph

from pipeline.media.planes import plane_views
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import Inspection

FIELD_CODING = (1 << 18) | (1 << 29)


def pictures_of(source: Inspection, first: int, count: int) -> Iterator[Any]:
    return decode_range(source.info.path, source.info, source.index, first, first + count - 1)


def woven(pictures: Iterable[Any], *, top_first: bool = True) -> Iterator[Any]:
    """Frames of half the number: lines of one parity from every first picture, the rest of the
    next."""
    pairs = iter(pictures)
    for one in pairs:
        other = next(pairs)
        one.make_writable()
        parity = 1 if top_first else 0  # of the field shown second
        for into, lines in zip(plane_views(one), plane_views(other), strict=True):
            into[parity::2] = lines[parity::2]
        yield one


def segmented(pictures: Iterable[Any]) -> Iterator[Any]:
    """Every second picture, as a frame that shows one moment in both fields."""
    for number, one in enumerate(pictures):
        if number % 2 == 0:
            yield one


def write_woven(
    path: Path,
    frames: Iterable[Any],
    rate: Fraction,
    *,
    top_first: bool = True,
    codec: str = "ffv1",
    whole: tuple[int, ...] = (),
    **options: str,
) -> Path:
    """Encodes frames and marks them as fields, but for those numbers that are `whole`."""
    setters: dict[str, tuple[Any, Any, Any]] = {}
    with av.open(str(path), "w") as file:
        stream = None
        for number, frame in enumerate(frames):
            word = "prog" if number in whole else "tff" if top_first else "bff"
            frame.pts, frame.time_base = number, 1 / rate
            if stream is None:
                stream = file.add_stream(codec, rate, options=options)
                stream.width, stream.height = frame.width, frame.height
                stream.pix_fmt, stream.time_base = frame.format.name, 1 / rate
                stream.codec_context.flags |= FIELD_CODING
                stream.codec_context.field_order = 2 if top_first else 3
            if word not in setters:
                setters[word] = _setter(frame, word)
            _, source, sink = setters[word]
            source.push(frame)
            file.mux(stream.encode(sink.pull()))
        file.mux(stream.encode())
    return path


def _setter(frame: Any, word: str) -> tuple[Any, Any, Any]:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    sink = graph.add("buffersink")
    graph.link_nodes(source, graph.add("setfield", word), sink)
    graph.configure()
    return graph, source, sink  # without the graph, its parts would be gone
