"""The packets of a part of a clip: found without reading all before it, where that is exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from pipeline.media.info import VideoInfo
from pipeline.media.read.frame_index import FrameIndex

MARGIN_S = 2
"""Packets are stored by decoding time, which lies before that of showing."""
INDEXED = "mov,mp4"
"""Containers that know each track's place at any time, and are read in the order of decoding to
within a second, however they are interleaved."""


def packets_around(
    container: InputContainer, info: VideoInfo, index: FrameIndex | None, streams: Sequence[Stream]
) -> Iterator[Packet[Any]]:
    """Streams' packets in the order of the file: all, or of a part at least all that is in it."""
    if index is None or index.cut is None or not info.container.startswith(INDEXED):
        return packets_of(container, streams)
    return _near(container, info, index, index.cut.end, streams)


def _near(
    container: InputContainer,
    info: VideoInfo,
    index: FrameIndex,
    end_pts: int,
    streams: Sequence[Stream],
) -> Iterator[Packet[Any]]:
    first, end = (float(at * info.time_base) for at in (int(index.pts[0]), end_pts))
    container.seek(max(0, int((first - MARGIN_S) * av.time_base)))
    for packet in packets_of(container, streams):
        if _decoded_s(packet) > end + MARGIN_S and not _is_cover(packet.stream):
            return
        yield packet


def packets_of(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
    """Streams' packets in the order of the file.

    In mp4 and mov those of others are passed over unread; they stay so for this container.
    """
    wanted = {stream.index for stream in streams}
    for stream in container.streams if container.format.name.startswith(INDEXED) else ():
        if stream.index not in wanted:
            stream.discard = Discard.all
    return container.demux(streams)


def _decoded_s(packet: Packet[Any]) -> float:
    ticks = packet.dts if packet.dts is not None else packet.pts
    base = packet.time_base
    return -1.0 if ticks is None else ticks * base.numerator / base.denominator


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def is_in_part(packet: Packet[Any], info: VideoInfo, index: FrameIndex) -> bool:
    """Whether a packet of another stream goes with a part: it begins in it, or has no time at all.

    Of a clip that is no part, all do.
    """
    if index.cut is None or packet.pts is None or _is_cover(packet.stream):
        return True
    begins = packet.pts * Fraction(packet.time_base)
    return index.pts[0] * info.time_base <= begins < index.cut.end * info.time_base


def chapter_in_part(
    told: tuple[Fraction, Fraction], info: VideoInfo, index: FrameIndex
) -> tuple[Fraction, Fraction] | None:
    """As much of a chapter, first and last second, as lies in a part; None where nothing does."""
    if index.cut is None:
        return told
    bounds = int(index.pts[0]) * info.time_base, index.cut.end * info.time_base
    start, end = max(told[0], bounds[0]), min(told[1], bounds[1])
    return (start, end) if start < end else None
