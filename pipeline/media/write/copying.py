"""Every stream but the edited one, packet by packet, into the output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo
from pipeline.media.opening import open_video

STALE_TAGS = {
    "ENCODER",
    "SOFTWARE",
    "DURATION",
    "BPS",
    "NUMBER_OF_FRAMES",
    "NUMBER_OF_BYTES",
    "_STATISTICS_WRITING_APP",
    "_STATISTICS_WRITING_DATE_UTC",
    "_STATISTICS_TAGS",
}
"""What the source's muxer or encoder said of its own output; the new muxer says its own."""

BRAND_TAGS = {"major_brand", "minor_version", "compatible_brands"}
Warn = Callable[[str], None]


@dataclass
class CopiedStream:
    """One stream on its way; the counts grow with every packet.

    Attributes:
        source_index: its number in the source.
        target: its place in the output, for as long as that is open.
        kind: `audio`, `subtitle`, …
        is_cover: a picture without a time.
        payload: md5 over the bytes of all packets so far.
        first_s, last_s: least and greatest time so far, exact seconds; None without times.
        tick_s: the source's clock.
    """

    source_index: int
    target: Stream
    kind: str
    is_cover: bool
    tick_s: Fraction
    packets: int = 0
    payload: Any = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))
    first_s: Fraction | None = None
    last_s: Fraction | None = None

    def count(self, packet: Packet[Any]) -> None:
        self.packets += 1
        self.payload.update(packet)
        if packet.pts is not None:
            time_s = packet.pts * packet.time_base
            self.first_s = time_s if self.first_s is None else min(self.first_s, time_s)
            self.last_s = time_s if self.last_s is None else max(self.last_s, time_s)


def add_copies(
    source: InputContainer,
    target: OutputContainer,
    info: VideoInfo,
    add_video: Callable[[], None],
    warn: Warn,
) -> dict[int, CopiedStream]:
    """Add a stream to the output for each of the source's, in its order; `add_video` adds ours.

    Raises:
        MediaError: the output's container cannot hold a sound or video stream of the source.
    """
    copies: dict[int, CopiedStream] = {}
    attachments: list[Callable[[], None]] = []
    for stream in source.streams:
        if stream.index == info.stream_index:
            add_video()
        elif _is_attachment(stream, target):
            attachments.append(_attachment(stream, info, target, warn))
        else:
            copied = _add_copy(stream, target, info, warn)
            if copied is not None:
                copies[stream.index] = copied
    for add in attachments:  # Matroska reads them back after the tracks
        add()
    return copies


def _is_attachment(stream: Stream, target: OutputContainer) -> bool:
    cover = bool(stream.disposition & Disposition.attached_pic)
    return isinstance(stream, AttachmentStream) or (cover and _is_matroska(target))


def _is_matroska(target: OutputContainer) -> bool:
    return target.format.name in ("matroska", "webm")


def _add_copy(
    stream: Stream, target: OutputContainer, info: VideoInfo, warn: Warn
) -> CopiedStream | None:
    name = f"{stream.type} stream {stream.index} ({_codec_of(stream)})"
    rewritten = "timecode" in stream.metadata or _is_chapter_track(stream)
    if stream.type == "data" and stream.codec_context is None and rewritten:
        return None  # the muxer makes both anew, from the time code and the chapters
    try:
        copy = target.add_stream_from_template(stream, opaque=True)
    except ValueError as error:
        if stream.type in ("audio", "video"):
            raise MediaError(
                f"{info.path}: {target.format.name} cannot hold its {name}: {error}"
            ) from error
        warn(f"{name} was left out: {target.format.name} cannot hold it")
        return None
    if target.format.name == "mpegts" and stream.id >= 16:
        copy.id = stream.id
    copy.disposition = stream.disposition
    copy.metadata.update(kept_tags(stream.metadata))
    cover = bool(stream.disposition & Disposition.attached_pic)
    return CopiedStream(stream.index, copy, stream.type, cover, stream.time_base or Fraction(1))


def _codec_of(stream: Stream) -> str:
    context = stream.codec_context
    return context.codec.canonical_name if context is not None else (stream.name or "unknown")


def _is_chapter_track(stream: Stream) -> bool:
    """FFmpeg shows an mp4's chapter text as a data stream."""
    return bool(stream.container.chapters()) and (stream.name or "bin_data") == "bin_data"


def _attachment(
    stream: Stream, info: VideoInfo, target: OutputContainer, warn: Warn
) -> Callable[[], None]:
    name = stream.metadata.get("filename") or f"cover.{_codec_of(stream)}"
    kind = stream.metadata.get("mimetype") or f"image/{'jpeg' if 'jpeg' in name else 'png'}"

    def add() -> None:
        if target.format.name == "webm":
            warn(f"attachment {name} was left out: webm cannot hold it")
            return
        added = target.add_attachment(name, kind, attachment_bytes(stream, info))
        added.metadata.update(kept_tags(stream.metadata))

    return add


def attachment_bytes(stream: Stream, info: VideoInfo) -> bytes:
    """What an attachment holds; a cover's picture is its only packet."""
    if isinstance(stream, AttachmentStream):
        return stream.data
    with open_video(info.path) as container:
        for packet in container.demux(container.streams[stream.index]):
            if packet.size:
                return bytes(packet)
    return b""


def kept_tags(tags: dict[str, str]) -> dict[str, str]:
    """Metadata that is still true of the output."""
    return {k: v for k, v in tags.items() if k.upper() not in STALE_TAGS and k not in BRAND_TAGS}


def copied_packets(
    source: InputContainer, copies: dict[int, CopiedStream], shift_s: Fraction
) -> Iterator[Packet[Any]]:
    """The source's packets for the copied streams, in file order, counted on the way.

    Args:
        shift_s: added to every time.
    """
    streams = [s for s in source.streams if s.index in copies]
    if not streams:
        return
    for packet in source.demux(streams):
        if not packet.size:
            continue
        copy = copies[packet.stream.index]
        ticks = round(shift_s / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        copy.count(packet)
        if packet.dts is None and packet.pts is None:
            packet.pts = packet.dts = 0  # a cover has no time
        packet.stream = copy.target
        yield packet
