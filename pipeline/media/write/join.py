"""Pieces → one stream of packets with the source's own times, one packet at a time."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
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
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.source_packets import Carried, SourcePackets
from pipeline.media.write.shared_header import SharedHeader, shared_header


@dataclass(frozen=True)
class Copied:
    """Frames first…last (inclusive), whole closed groups, that come from the source by packet."""

    first: int
    last: int

    @property
    def frames(self) -> int:
        return self.last - self.first + 1


Part = str | Copied
"""A piece's path, or what stands in a piece's place."""


@dataclass(frozen=True)
class JoinPlan:
    """Parts that were found to fit.

    Attributes:
        parts: in order.
        first: `(P,)` int64, number of each part's first frame.
        reorder: how many frames a packet can come before it is shown; the same delay for all.
        shared: what lets pieces and the source's packets stand in one stream; None where they
            need nothing.
        mixes: pieces may hold packets of the source themselves, or leave frames to it.
    """

    parts: tuple[Part, ...]
    first: NDArray[np.int64]
    reorder: int
    shared: SharedHeader | None = None
    mixes: bool = False

    @property
    def pieces(self) -> list[str]:
        """Those that were encoded."""
        return [part for part in self.parts if isinstance(part, str)]


def plan_join(
    parts: Sequence[Part], info: VideoInfo, index: FrameIndex, *, mixes: bool = False
) -> JoinPlan:
    """Check that the parts hold every frame of the index once and can follow one another.

    Args:
        mixes: pieces may hold packets of the source themselves, or leave frames to it
            (intra-only codecs).
    Raises:
        MediaError: a piece is missing or damaged, begins without a key packet, has other times or
            other parameter sets than its neighbours, or frames are missing or too many.
        NotCopyableError: the source's packets cannot stand beside the pieces.
    """
    if not parts:
        raise MediaError(f"{info.path}: got no pieces to join; expected at least one")
    first: list[int] = []
    reorder, at, parameters = 0, 0, None
    for path in parts:
        if isinstance(path, Copied):
            coded = index.coded[path.first : path.last + 1]
            reorder = max(reorder, _reordered(coded - coded.min()))
            first.append(at)
            at += path.frames
            continue
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
        reorder = max(reorder, _reordered(np.argsort(shown)))
        first.append(at)
        at += len(shown)
    if at != len(index):
        raise MediaError(f"{info.path}: the pieces hold {at} frames; expected {len(index)}")
    copies = any(isinstance(part, Copied) for part in parts)
    shared = shared_header(info, parameters) if (copies or mixes) and parameters else None
    return JoinPlan(tuple(parts), np.array(first, np.int64), reorder, shared, mixes)


def _reordered(coded: NDArray[np.int64]) -> int:
    """By how many frames a packet comes before it is shown at most; `coded` is each frame's place
    in the file."""
    return int((coded - np.arange(len(coded))).max())


def _read_piece(path: str, info: VideoInfo) -> tuple[NDArray[np.int64], bytes]:
    """Times from the piece's start in the order of its packets, and its parameter sets."""
    with open_video(path) as container, one_line_errors(path, "read the piece"):
        stream = piece_stream(container, path)
        form = unit_format(info.codec, stream.codec_context.extradata)
        packets = [(p.pts, _opens(p, form)) for p in container.demux(stream) if p.size]
        if not packets or not packets[0][1]:
            raise MediaError(f"{path}: a piece must begin with a key packet")
        ratio = (stream.time_base or info.time_base) / info.time_base
        times = [None if pts is None else pts * ratio for pts, _ in packets]
        if any(t is None or t.denominator != 1 for t in times):
            raise MediaError(f"{path}: its times don't fit the source's clock of {info.time_base}")
        shown = np.array([int(t) for t in times if t is not None], np.int64)
        return shown, stream.codec_context.extradata or b""


def _opens(packet: Packet[VideoStream], form: UnitFormat | None) -> bool:
    return packet.is_keyframe or (form is not None and form.is_mark(bytes(packet)))


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
    plan: JoinPlan, info: VideoInfo, index: FrameIndex, on_copied: Callable[[int], None]
) -> Iterator[Packet[VideoStream]]:
    """Every packet of the plan with the source's pts and rising dts, in the source's time base.

    Pieces are closed, so position i in the file and position i on the screen lie in one piece, and
    the screen's times, delayed by `reorder` frames, are decoding times that never exceed pts. What
    the source's own packets carry besides the picture (captions, dynamic HDR, time code, repeated
    fields) goes with the same picture of the output.

    Args:
        on_copied: told the number of each frame whose packet is the source's.
    """
    gap = max(1, int(index.duration[0]))
    lead = index.pts[0] - gap * np.arange(plan.reorder, 0, -1)
    # Asked for one by one, plain numbers take a tenth of what numpy's do.
    pts, durations = (array("q", column.tobytes()) for column in (index.pts, index.duration))
    dts = array("q", lead.tobytes()) + pts
    number = 0
    with SourcePackets(info, keeps_all=plan.mixes, index=index) as source:
        for part, first in zip(plan.parts, plan.first, strict=True):
            if isinstance(part, Copied):
                packets = _source_packets(source, part, plan.shared, index)
            else:
                packets = _encoded_packets(source, part, int(first), plan.shared, info, index)
            for packet, is_copied in packets:
                shown = bisect_left(pts, packet.pts or 0)
                packet.pts, packet.dts, packet.duration = pts[shown], dts[number], durations[shown]
                packet.time_base = info.time_base
                if is_copied:
                    on_copied(shown)
                yield packet
                number += 1


def _source_packets(
    source: SourcePackets, part: Copied, shared: SharedHeader | None, index: FrameIndex
) -> Iterator[tuple[Packet[VideoStream], bool]]:
    bounds = int(index.pts[part.first]), int(index.pts[part.last])
    for coded in source.group(*bounds, part.frames):
        data = shared.of_source(coded.data) if shared else coded.data
        packet = _packet_of(data)
        packet.pts, packet.is_keyframe = coded.pts, coded.is_key
        yield packet, True


def _encoded_packets(
    source: SourcePackets,
    path: str,
    first: int,
    shared: SharedHeader | None,
    info: VideoInfo,
    index: FrameIndex,
) -> Iterator[tuple[Packet[VideoStream], bool]]:
    for packet, form in _piece_packets(path, info, int(index.pts[first])):
        shown = int(np.searchsorted(index.pts, packet.pts or 0))
        carried = source.at(int(index.pts[shown]))
        is_left = form is not None and form.is_mark(bytes(packet))
        if is_left and shared is not None and carried.packet:
            data, is_copied = shared.of_source(carried.packet), True
        elif is_left:
            raise MediaError(
                f"{path}: frame {shown} is left to the source, which has no such frame"
            )
        else:
            is_copied = bool(carried.packet) and bytes(packet) == carried.packet
            data = _with_carried(packet, carried, info, form)
            data = shared.of_piece(data) if shared else data
        if data == bytes(packet):
            yield packet, is_copied
            continue
        changed = _packet_of(data)
        changed.pts, changed.is_keyframe = packet.pts, packet.is_keyframe or is_left
        yield changed, is_copied


def _packet_of(data: bytes | memoryview) -> Packet[VideoStream]:
    """PyAV takes whatever has bytes, which its types do not say."""
    return cast("Packet[VideoStream]", Packet(cast("bytes", data)))


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
) -> bytes:
    """The packet's bytes with what the source's picture carries."""
    data = bytes(packet)
    if form is not None and form.codec == info.codec:
        messages = [*carried.messages, *(carried.lasting if packet.is_keyframe else ())]
        if messages:
            data = with_messages(data, form, messages)
    elif carried.fields is not None and info.shows_fields and _is_mpeg2(packet):
        data = with_field_flags(data, carried.fields)
    elif carried.packet and info.codec == "prores" and _has_prores_alpha(info, packet):
        try:
            data = with_alpha_of(data, carried.packet)
        except AnotherLayoutError as error:
            raise MediaError(f"{info.path}: its alpha cannot be carried over: {error}") from error
    return data
