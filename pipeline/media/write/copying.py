"""Every stream but the edited one, packet by packet, into the output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream

from pipeline.errors import MediaError
from pipeline.media.boxes.movie import Movie, foreign_tracks, read_movie
from pipeline.media.info import VideoInfo
from pipeline.media.opening import open_video
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.part_packets import is_in_part, packets_around
from pipeline.media.read.tags import kept_tags


def add_copies(
    source: InputContainer,
    target: OutputContainer,
    info: VideoInfo,
    add_video: Callable[[], None],
) -> dict[int, Stream]:
    """Add a stream to the output for each of the source's, in its order; `add_video` adds ours.

    Returns:
        the output's stream for each number in the source. What its container has no place for is
        left out; the witness names it.
    Raises:
        MediaError: the output's container cannot hold a sound or video stream of the source.
    """
    movie = read_movie(info.path)
    copies: dict[int, Stream] = {}
    attachments: list[Callable[[], None]] = []
    for stream in source.streams:
        if stream.index == info.stream_index:
            add_video()
        elif is_attachment(stream, target):
            attachments.append(_attachment(stream, info, target))
        else:
            copied = _add_copy(stream, target, info, movie)
            if copied is not None:
                copies[stream.index] = copied
    for add in attachments:  # Matroska reads them back after the tracks
        add()
    return copies


def is_attachment(stream: Stream, target: OutputContainer) -> bool:
    """Whether a stream lies beside the tracks: a font, or a cover in Matroska."""
    cover = bool(stream.disposition & Disposition.attached_pic)
    return isinstance(stream, AttachmentStream) or (cover and _is_matroska(target))


def _is_matroska(target: OutputContainer) -> bool:
    return target.format.name in ("matroska", "webm")


def _add_copy(
    stream: Stream, target: OutputContainer, info: VideoInfo, movie: Movie | None
) -> Stream | None:
    name = f"{stream.type} stream {stream.index} ({_codec_of(stream)})"
    if is_made_elsewhere(stream, movie):
        return None
    try:
        copy = target.add_stream_from_template(stream, opaque=True)
    except ValueError as error:
        if stream.type in ("audio", "video"):
            raise MediaError(
                f"{info.path}: {target.format.name} cannot hold its {name}: {error}"
            ) from error
        return None
    if target.format.name == "mpegts" and stream.id >= 16:
        copy.id = stream.id
    copy.disposition = stream.disposition
    copy.metadata.update(kept_tags(stream.metadata))
    return copy


def _codec_of(stream: Stream) -> str:
    context = stream.codec_context
    return context.codec.canonical_name if context is not None else "unknown"


def is_made_elsewhere(stream: Stream, movie: Movie | None) -> bool:
    """Time code and chapters the muxer makes anew; foreign tracks are copied by their boxes."""
    if stream.type == "data" and "timecode" in stream.metadata:
        return True
    if movie is not None and stream.id in movie.chapter_texts():
        return True
    if stream.id in {track.number for track in foreign_tracks(movie)}:
        return True
    return stream.codec_context is None and stream.type not in ("data", "attachment")


def _attachment(stream: Stream, info: VideoInfo, target: OutputContainer) -> Callable[[], None]:
    name = stream.metadata.get("filename") or f"cover.{_codec_of(stream)}"
    kind = stream.metadata.get("mimetype") or f"image/{'jpeg' if 'jpeg' in name else 'png'}"

    def add() -> None:
        if target.format.name == "webm":
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


def copied_packets(
    source: InputContainer,
    copies: dict[int, Stream],
    info: VideoInfo,
    index: FrameIndex,
    shift_s: Fraction,
) -> Iterator[Packet[Any]]:
    """The source's packets for the copied streams, in file order.

    Args:
        index: of the video; of a part, what goes with that.
        shift_s: added to every time.
    """
    streams = [s for s in source.streams if s.index in copies]
    if not streams:
        return
    shift = {s.index: round(shift_s / s.time_base) if s.time_base else 0 for s in streams}
    for packet in packets_around(source, info, index, streams):
        if not packet.size or not is_in_part(packet, info, index):
            continue
        ticks = shift[packet.stream_index]
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        if packet.dts is None and packet.pts is None:
            packet.pts = packet.dts = 0  # a cover has no time
        packet.stream = copies[packet.stream_index]
        yield packet
