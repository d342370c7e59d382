"""The end of a clip: pieces joined by packet, all else copied by packet, checked, then published.

The output grows beside its name (pipeline/files.py) and takes it only after it was closed, read
back and found whole; on any error the part is removed. Times are the source's to the tick.
Memory does not grow with the clip: the source and one piece are open at a time.
"""

from __future__ import annotations

import contextlib
import heapq
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import itemgetter
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.files import flushed_meanwhile, published
from pipeline.media.boxes.movie import foreign_tracks, read_movie
from pipeline.media.compare.facts import facts_of
from pipeline.media.info import VideoInfo
from pipeline.media.opening import close_quietly, one_line_errors, open_video, video_stream
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.origin import origin_tag
from pipeline.media.read.part_packets import chapter_in_part
from pipeline.media.read.probe import probe
from pipeline.media.read.source_packets import TWO_LAYERS
from pipeline.media.read.tags import kept_tags
from pipeline.media.write.avi import avi_tick, into_avi
from pipeline.media.write.containers import MP4_FAMILY, muxer_of, muxer_options
from pipeline.media.write.copying import add_copies, copied_packets
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.media.write.graft import GraftOptions, graft
from pipeline.media.write.join import JoinPlan, Part, joined_packets, piece_stream, plan_join
from pipeline.media.write.matroska_aspect import write_pixel_shape
from pipeline.media.write.untouched import check_copies, facts_beside_copies
from pipeline.media.write.verify import Verified, verify_output

TAG_IS_PROFILE = {"hevc", "prores"}
"""Codecs whose mp4 tag says more than the codec: the muxer's default would be another."""


@dataclass(frozen=True)
class FinishedVideo:
    """A published output.

    Attributes:
        path: where it lies.
        frames: how many it shows: the source's count.
        warnings: what of the source it does not hold, one line each.
        encoded: how, and in how many of the source's bytes, for the report.
        copied: frames whose packets are the source's, bit for bit.
    """

    path: str
    frames: int
    warnings: tuple[str, ...]
    encoded: str = ""
    copied: int = 0


def finish(
    info: VideoInfo,
    index: FrameIndex,
    pieces: Sequence[Part],
    output: str,
    settings: EncodeSettings,
    *,
    replace: bool = True,
    check: Callable[[], None] = lambda: None,
    on_warning: Callable[[str], None] | None = None,
) -> FinishedVideo:
    """Join the pieces into the output, with every other stream of the source.

    The output's container follows from its extension.

    Args:
        pieces: in order; together they hold each frame of the index once. What is copied from the
            source decodes in the output as it does there, or nothing is published.
        replace: an existing output is replaced; else one that appears meanwhile is left alone.
        check: called last before the output takes its name; what it raises keeps it from that.
        on_warning: also told each warning as it arises.
    Raises:
        MediaError: pieces that don't fit, a container that cannot hold the video or a sound
            stream, what the disk complains of, an output that reads back otherwise than it must.
        NotCopyableError: frames that were to be copied cannot be; they must be encoded.
    """
    warnings: list[str] = []

    def warn(text: str) -> None:
        warnings.append(text)
        if on_warning is not None:
            on_warning(text)

    for text in settings.warnings:
        warn(text)
    muxer_of(output)
    plan = plan_join(pieces, info, index, mixes=settings.copies_untouched)
    with _published(output, replace=replace, check=check) as part:
        with one_line_errors(output, "write the output"):
            track, copied = _write(info, index, plan, (part, output), settings)
        if muxer_of(output) in ("matroska", "webm") and probe(str(part)).sar != info.sar:
            write_pixel_shape(str(part), track, info.sar)
        if muxer_of(output) in MP4_FAMILY:
            graft(str(part), info.path, info.stream_index, _graft_options(info, index, settings))
        source, made = facts_of(info.path, info, index), facts_beside_copies(str(part), copied)
        check_copies(source, made, copied)
        verified = verify_output(output, source, made, settings.changes)
        for text in verified.warnings:
            warn(text)
    told = _told(settings, verified, len(copied), len(index))
    return FinishedVideo(output, len(index), tuple(warnings), told, len(copied))


@contextlib.contextmanager
def _published(output: str, *, replace: bool, check: Callable[[], None]) -> Iterator[Path]:
    try:
        with published(Path(output), replace=replace, check=check) as part, flushed_meanwhile(part):
            yield part
    except FileExistsError as error:
        raise MediaError(
            f"{output}: appeared while the job ran and was left alone; "
            "pass --overwrite to replace it"
        ) from error
    except OSError as error:
        raise MediaError(f"{output}: cannot publish the output: {error.strerror}") from error


def _write(
    info: VideoInfo,
    index: FrameIndex,
    plan: JoinPlan,
    where: tuple[Path, str],
    settings: EncodeSettings,
) -> tuple[int, NDArray[np.int64]]:
    """Writes the part; our stream's number in it, and the frames that were copied, rising."""
    part, output = where
    shift_s = _shift_s(info, index, output)
    copied = array("q")
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_video(info.path))
        template = stack.enter_context(_template(plan, info))
        target = stack.enter_context(_output_container(part, output, info, index, source))
        ours: list[VideoStream] = []

        def add_video() -> None:
            tick = muxer_of(output) == "avi" and avi_tick(info, index.of_its_own())
            base = tick or info.time_base
            ours.append(_add_video(template, target, info, base, settings, source))
            if plan.shared is not None:
                ours[0].codec_context.extradata = plan.shared.header

        copies = add_copies(source, target, info, add_video)
        kept = kept_tags(source.metadata)
        if info.timecode is not None:  # a part's own, not its clip's, wherever that is told
            kept |= {key: info.timecode for key in kept if key.lower() == "timecode"}
        target.metadata.update(kept | origin_tag(muxer_of(output), kept))
        target.set_chapters(_chapters(source, info, index, shift_s))
        source.streams[info.stream_index].discard = Discard.all
        for packet, _ in heapq.merge(
            _in_time(_video_packets(plan, info, index, ours[0], shift_s, copied.append)),
            _in_time(copied_packets(source, copies, info, index, shift_s)),
            key=itemgetter(1),
        ):
            target.mux(packet)
        return ours[0].index, np.sort(np.array(copied, np.int64))


@contextlib.contextmanager
def _template(plan: JoinPlan, info: VideoInfo) -> Iterator[VideoStream]:
    """The stream that the output's is modelled on: a piece's, or the source's without any."""
    pieces = plan.pieces
    with open_video(pieces[0] if pieces else info.path) as container:
        yield piece_stream(container, pieces[0]) if pieces else video_stream(container, info)


def _told(settings: EncodeSettings, verified: Verified, copied: int, frames: int) -> str:
    """What a report says of the encoding."""
    before, after = verified.comparison.figures["video_bytes"]
    options = " ".join(f"{name}={value}" for name, value in sorted(settings.options.items()))
    how = f"{settings.encoder} {settings.pix_fmt} {options}".strip()
    kept = f"{copied} of {frames} frames copied bit for bit; " if copied else ""
    return f"{how}; {kept}pictures take {after / max(1, before):.0%} of the source's bytes"


def _graft_options(info: VideoInfo, index: FrameIndex, settings: EncodeSettings) -> GraftOptions:
    two_layers = info.dolby_vision is not None and info.dolby_vision[0] == TWO_LAYERS
    same = "codec" not in settings.changes
    return GraftOptions(same, dolby_vision=not two_layers, tracks=index.cut is None)


def _shift_s(info: VideoInfo, index: FrameIndex, output: str) -> Fraction:
    """MPEG-TS clocks start anywhere; in other containers such a start would be an empty second."""
    moved_s = index.moved * info.time_base
    if not info.is_mpegts or muxer_of(output) == "mpegts":
        return moved_s
    return moved_s - Fraction(round(info.clock_start_s / info.time_base)) * info.time_base


@contextlib.contextmanager
def _output_container(
    part: Path, output: str, info: VideoInfo, index: FrameIndex, source: InputContainer
) -> Iterator[OutputContainer]:
    """The part, open for writing; closing it writes the trailer, errors included."""
    bases = {
        s.index: s.time_base
        for s in source.streams.video
        if s.time_base is not None and s.average_rate is not None
    }
    bases[info.stream_index] = info.time_base
    clocks = _late_clocks(info, index, source)
    container = av.open(
        str(part),
        "w",
        format=muxer_of(output),
        container_options=muxer_options(output, bases, source.metadata, clocks),
    )
    with contextlib.ExitStack() as undo:
        undo.callback(close_quietly, container)
        yield container
        undo.pop_all()
    container.close()


def _late_clocks(info: VideoInfo, index: FrameIndex, source: InputContainer) -> set[int]:
    """Ticks per second that the output's movie clock must hold whole."""
    late = {
        s.time_base.denominator
        for s in source.streams
        if s.time_base and (s.start_time or index.cut)  # sound of a part begins between two frames
    }
    if index.pts[0]:
        late.add(info.time_base.denominator)
    movie = read_movie(info.path)
    if movie is not None and foreign_tracks(movie):
        late.add(movie.timescale)
    return late


def _add_video(
    template: VideoStream,
    target: OutputContainer,
    info: VideoInfo,
    time_base: Fraction,
    settings: EncodeSettings,
    source: InputContainer,
) -> VideoStream:
    try:
        stream = target.add_stream_from_template(template, opaque=True)
    except ValueError as error:
        raise MediaError(
            f"{info.path}: {target.format.name} cannot hold its {info.codec} video: {error}"
        ) from error
    original = source.streams[info.stream_index]
    stream.time_base = time_base
    # What the bitstream cannot say, as VP8's, the container must.
    stream.codec_context.sample_aspect_ratio = info.sar
    stream.codec_context.color_primaries = info.colour.primaries
    stream.codec_context.color_trc = info.colour.transfer
    stream.codec_context.colorspace = info.colour.tagged_matrix
    stream.codec_context.color_range = info.colour.tagged_range
    stream.codec_context.framerate = Fraction(settings.frame_rate)
    if target.format.name in MP4_FAMILY and info.codec in TAG_IS_PROFILE:
        own = template.codec_context.codec_tag
        stream.codec_context.codec_tag = settings.codec_tag or own
    if info.interlaced:
        stream.codec_context.field_order = info.field_order
    if info.display_matrix is not None:
        stream.set_display_matrix(info.display_matrix)
    stream.disposition = original.disposition
    stream.metadata.update(kept_tags(original.metadata))
    if info.timecode is not None:
        stream.metadata["timecode"] = info.timecode
    if target.format.name == "mpegts" and original.id >= 16:
        stream.id = original.id
    return stream


def _chapters(
    source: InputContainer, info: VideoInfo, index: FrameIndex, shift_s: Fraction
) -> list[Any]:
    chapters: list[Any] = []
    for chapter in source.chapters():
        tick_s = Fraction(chapter["time_base"] or 1)
        held = chapter_in_part((chapter["start"] * tick_s, chapter["end"] * tick_s), info, index)
        if held is not None:
            start, end = (round((at + shift_s) / tick_s) for at in held)
            chapters.append({**chapter, "id": len(chapters), "start": start, "end": end})
    return chapters


def _video_packets(
    plan: JoinPlan,
    info: VideoInfo,
    index: FrameIndex,
    stream: VideoStream,
    shift_s: Fraction,
    on_copied: Callable[[int], None],
) -> Iterator[Packet[VideoStream]]:
    ticks = int(shift_s / info.time_base)
    packets = joined_packets(plan, info, index, on_copied)
    if stream.container.format.name == "avi":
        # It holds no times: packets stand in the order of decoding, which begins at 0.
        ticks += plan.reorder * max(1, int(index.duration[0]))
        context = stream.codec_context
        packets = map(into_avi(context.codec.canonical_name, context.extradata), packets)
    for packet in packets:
        packet.pts, packet.dts = (packet.pts or 0) + ticks, (packet.dts or 0) + ticks
        packet.stream = stream
        yield packet


def _in_time(packets: Iterator[Packet[Any]]) -> Iterator[tuple[Packet[Any], float]]:
    """Each with when it is decoded, seconds; packets of one stream have one time base."""
    bases: dict[int, tuple[int, int]] = {}
    for packet in packets:
        base = bases.get(packet.stream_index)
        if base is None:  # a fraction made for each packet takes longer than all else here
            base = bases[packet.stream_index] = packet.time_base.as_integer_ratio()
        ticks = packet.dts if packet.dts is not None else packet.pts
        yield packet, (ticks or 0) * base[0] / base[1]
