"""Pieces → one stream of packets with the source's own times, one packet at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.bitstream.messages import with_messages
from pipeline.media.bitstream.mpeg2 import with_field_flags
from pipeline.media.bitstream.prores import AnotherLayoutError, with_alpha_of
from pipeline.media.bitstream.units import UnitFormat, unit_format
from pipeline.media.info import VideoInfo
from pipeline.media.opening import one_line_errors, open_video
from pipeline.media.read.scan import FrameIndex
from pipeline.media.read.source_packets import Carried, SourcePackets


@dataclass(frozen=True)
class JoinPlan:
    """Pieces that were found to fit.

    Attributes:
        pieces: paths, in order.
        first: `(P,)` int64, number of each piece's first frame.
        reorder: how many frames a packet can come before it is shown; the same delay for all.
    """

    pieces: tuple[str, ...]
    first: NDArray[np.int64]
    reorder: int


def plan_join(pieces: Sequence[str], info: VideoInfo, index: FrameIndex) -> JoinPlan:
    """Check that the pieces hold every frame of the index once and can follow one another.

    Raises:
        MediaError: a piece is missing or damaged, begins without a key packet, has other times or
            other parameter sets than its neighbours, or frames are missing or too many.
    """
    if not pieces:
        raise MediaError(f"{info.path}: got no pieces to join; expected at least one")
    first: list[int] = []
    reorder, at, parameters = 0, 0, None
    for path in pieces:
        shown, extradata = _read_piece(path, info)
        if at + len(shown) > len(index):
            raise MediaError(
                f"{info.path}: the pieces hold more than its {len(index)} frames; one too many: "
                f"{path}"
            )
        _check_times(path, np.sort(shown), index.pts[at : at + len(shown)])
        if parameters is not None and extradata != parameters:
            raise MediaError(f"{path}: encoded with other settings than the pieces before it")
        parameters = extradata
        order = np.argsort(np.argsort(shown))
        reorder = max(reorder, int((np.arange(len(shown)) - order).max()))
        first.append(at)
        at += len(shown)
    if at != len(index):
        raise MediaError(f"{info.path}: the pieces hold {at} frames; expected {len(index)}")
    return JoinPlan(tuple(pieces), np.array(first, np.int64), reorder)


def _read_piece(path: str, info: VideoInfo) -> tuple[NDArray[np.int64], bytes]:
    """Times from the piece's start in the order of its packets, and its parameter sets."""
    with open_video(path) as container, one_line_errors(path, "read the piece"):
        stream = piece_stream(container, path)
        packets = [(p.pts, p.is_keyframe) for p in container.demux(stream) if p.size]
        if not packets or not packets[0][1]:
            raise MediaError(f"{path}: a piece must begin with a key packet")
        ratio = (stream.time_base or info.time_base) / info.time_base
        times = [None if pts is None else pts * ratio for pts, _ in packets]
        if any(t is None or t.denominator != 1 for t in times):
            raise MediaError(f"{path}: its times don't fit the source's clock of {info.time_base}")
        shown = np.array([int(t) for t in times if t is not None], np.int64)
        return shown, stream.codec_context.extradata or b""


def piece_stream(container: InputContainer, path: str) -> VideoStream:
    """A piece's only stream."""
    if len(container.streams) != 1 or not container.streams.video:
        raise MediaError(f"{path}: a piece must hold one video stream and nothing else")
    return container.streams.video[0]


def _check_times(path: str, shown: NDArray[np.int64], expected: NDArray[np.int64]) -> None:
    wrong = np.flatnonzero(shown - shown[0] != expected - expected[0])
    if len(wrong):
        raise MediaError(
            f"{path}: frame {wrong[0]} of the piece is shown {shown[wrong[0]] - shown[0]} ticks "
            f"after its first; expected {expected[wrong[0]] - expected[0]}"
        )


def joined_packets(
    plan: JoinPlan, info: VideoInfo, index: FrameIndex
) -> Iterator[Packet[VideoStream]]:
    """Every packet of the plan with the source's pts and rising dts, in the source's time base.

    Pieces are closed, so position i in the file and position i on the screen lie in one piece, and
    the screen's times, delayed by `reorder` frames, are decoding times that never exceed pts. What
    the source's own packets carry besides the picture (captions, dynamic HDR, time code, repeated
    fields) goes with the same picture of the output.
    """
    gap = max(1, int(index.duration[0]))
    lead = index.pts[0] - gap * np.arange(plan.reorder, 0, -1)
    dts = np.concatenate([lead, index.pts])
    number = 0
    with SourcePackets(info) as source:
        for path, first in zip(plan.pieces, plan.first, strict=True):
            for packet, form in _piece_packets(path, info, int(index.pts[first])):
                shown = int(np.searchsorted(index.pts, packet.pts or 0))
                carried = source.at(int(index.pts[shown]))
                packet = _with_carried(packet, carried, info, form)  # noqa: PLW2901
                packet.pts, packet.dts = int(index.pts[shown]), int(dts[number])
                packet.duration = int(index.duration[shown])
                packet.time_base = info.time_base
                yield packet
                number += 1


def _piece_packets(
    path: str, info: VideoInfo, first_pts: int
) -> Iterator[tuple[Packet[VideoStream], UnitFormat | None]]:
    """A piece's packets, their pts on the source's clock, and how they hold their units."""
    with open_video(path) as container, one_line_errors(path, "read the piece"):
        stream = piece_stream(container, path)
        codec = stream.codec_context.codec.canonical_name
        form = unit_format(codec, stream.codec_context.extradata)
        ratio = (stream.time_base or info.time_base) / info.time_base
        start = None
        for packet in container.demux(stream):
            if not packet.size or packet.pts is None:
                continue
            start = packet.pts if start is None else start
            packet.pts = int((packet.pts - start) * ratio) + first_pts
            yield packet, form


def _is_mpeg2(packet: Packet[VideoStream]) -> bool:
    return packet.stream.codec_context.codec.canonical_name == "mpeg2video"


def _has_prores_alpha(info: VideoInfo, packet: Packet[VideoStream]) -> bool:
    """FFmpeg's encoder takes alpha in 10 bits; the source's own, coded without loss, is kept."""
    context = packet.stream.codec_context
    return context.codec.canonical_name == "prores" and (info.pix_fmt or "").startswith("yuva")


def _with_carried(
    packet: Packet[VideoStream], carried: Carried, info: VideoInfo, form: UnitFormat | None
) -> Packet[VideoStream]:
    """The packet with what the source's picture carries; the same one where that is nothing."""
    data = bytes(packet)
    if form is not None and form.codec == info.codec:
        messages = [*carried.messages, *(carried.lasting if packet.is_keyframe else ())]
        if messages:
            data = with_messages(data, form, messages)
    elif carried.fields is not None and info.shows_fields and _is_mpeg2(packet):
        data = with_field_flags(data, carried.fields)
    elif carried.packet and _has_prores_alpha(info, packet):
        try:
            data = with_alpha_of(data, carried.packet)
        except AnotherLayoutError as error:
            raise MediaError(f"{info.path}: its alpha cannot be carried over: {error}") from error
    if data == bytes(packet):
        return packet
    changed = cast("Packet[VideoStream]", Packet(data))
    changed.pts = packet.pts
    changed.is_keyframe = packet.is_keyframe
    changed.stream = packet.stream
    return changed
