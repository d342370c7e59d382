"""From a path to what the video is: headers, and one decoded frame for what headers get wrong.

`scan`, `FrameIndex` and `times_s` are here too, so that a reader of footage needs one import.
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from fractions import Fraction

import av
from av.container import InputContainer
from av.error import ArgumentError, InvalidDataError
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.errors import MediaError
from pipeline.media.bitstream.lossless import is_lossless
from pipeline.media.bitstream.mpeg2 import shows_fields
from pipeline.media.boxes.movie import Movie, read_movie
from pipeline.media.info import (
    RGB_MATRIX,
    UNSPECIFIED,
    Colour,
    StreamSummary,
    VideoInfo,
    upright_from_coded,
)
from pipeline.media.opening import MAX_PIXELS, one_line_errors, open_video, ready_decoder
from pipeline.media.read.dolby_vision import read_dolby_vision
from pipeline.media.read.frame_facts import FieldOrder, chroma_place, field_order_of
from pipeline.media.read.frame_index import FrameIndex, times_s
from pipeline.media.read.guarded import has_second_layer, refuse_encrypted
from pipeline.media.read.scan import scan
from pipeline.media.read.side_data import side_data_of
from pipeline.media.views.flat import looks_flat

__all__ = ["Colour", "FrameIndex", "StreamSummary", "VideoInfo", "probe", "scan", "times_s"]

BT601, BT709 = 6, 1
FULL_RANGE = 2
TOP_FIRST, BOTTOM_FIRST = 2, 3
GUESSED_TIMES = ("h264", "hevc")
"""Codecs whose times FFmpeg guesses in AVI, by a frame too late where nothing is reordered."""
COVER = Disposition.attached_pic | Disposition.timed_thumbnails
MOST_PACKETS_TO_FIRST_FRAME = 500


def probe(path: str) -> VideoInfo:
    """Read a video's headers and first frame.

    Raises:
        MediaError: one line naming the file: missing, empty, not a video, sound only, cover only,
            beyond MAX_PIXELS, a first frame that does not decode.
    """
    with open_video(path) as container:
        if is_picture(container.format.name):
            raise MediaError(f"{path}: a picture ({container.format.name}); expected a video")
        movie = read_movie(path)
        refuse_encrypted(path, container, movie)
        stream = main_video(container, path)
        frame, packet = _first_frame(container, stream, path)
        info = _describe(path, container, stream, frame)
        return _with_depths(info, stream, frame, packet, movie)


def _with_depths(
    info: VideoInfo, stream: VideoStream, frame: VideoFrame, packet: bytes, movie: Movie | None
) -> VideoInfo:
    """What neither headers nor PyAV tell."""
    vision = read_dolby_vision(info.path, movie)
    has_alpha = any(c.is_alpha for c in frame.format.components)
    return replace(
        info,
        chroma_place=chroma_place(frame),
        is_lossless=is_lossless(info.codec, stream.codec_context.extradata, packet),
        dolby_vision=(vision.profile, vision.compatibility) if vision else None,
        hides_alpha=stream.metadata.get("alpha_mode") == "1" and not has_alpha,
        layers=2 if has_second_layer(movie) else 1,
        times_by_order=info.container == "avi"
        and (info.codec in GUESSED_TIMES or stream.codec_context.reorder_depth > 0),
        shows_fields=info.codec == "mpeg2video" and shows_fields(packet),
        header=stream.codec_context.extradata or b"",
        looks_flat=looks_flat(frame, info),
    )


def is_picture(demuxer: str) -> bool:
    """Whether FFmpeg reads a format as single pictures, which it also calls a video."""
    return demuxer.endswith("_pipe") or demuxer == "image2"


def main_video(container: InputContainer, path: str) -> VideoStream:
    """The stream to edit: of those that are no cover, the default one, else the first."""
    videos = [s for s in container.streams.video if not s.disposition & COVER]
    if not videos:
        found = ", ".join(sorted({s.type for s in container.streams})) or "no streams"
        cover = " and a cover picture" if container.streams.video else ""
        kinds = "sound" if found == "audio" or cover else found
        raise MediaError(f"{path}: no video stream; the file holds {kinds}{cover}")
    chosen = [s for s in videos if s.disposition & Disposition.default] or videos
    stream = chosen[0]
    if stream.codec_context is None:
        raise MediaError(f"{path}: its video codec is not known to FFmpeg")
    return stream


def _first_frame(
    container: InputContainer, stream: VideoStream, path: str
) -> tuple[VideoFrame, bytes]:
    """The first frame that decodes, and the first packet that holds anything."""
    ready_decoder(stream, threads=1)
    first = b""
    with one_line_errors(path, "decode the first frame"):
        for count, packet in enumerate(container.demux(stream)):
            try:
                frames = stream.decode(packet)
            except (InvalidDataError, ArgumentError):  # the latter: a size beyond the decoder's
                frames = []
            first = first or bytes(packet)
            if frames:
                return frames[0], first
            if count > MOST_PACKETS_TO_FIRST_FRAME:
                break
    raise MediaError(
        f"{path}: not one frame of its {stream.codec_context.codec.canonical_name} video decodes; "
        f"corrupt, or larger than {MAX_PIXELS} pixels"
    )


FIELDS_AS_FRAMES = frozenset(("hevc",))
"""Codecs whose decoder gives fields one by one, and flags no whole frame as interlaced."""


def _describe(
    path: str, container: InputContainer, stream: VideoStream, frame: VideoFrame
) -> VideoInfo:
    warnings: list[str] = []
    matrix = _display_matrix(frame)
    rotation, mirrored = _orientation(matrix, warnings)
    context = stream.codec_context
    alone = frame.interlaced_frame and context.codec.canonical_name in FIELDS_AS_FRAMES
    colour = _colour(frame, frame.height * (2 if alone else 1), warnings)
    depth = frame.format.components[0].bits
    sar = _sample_aspect(stream, warnings)
    return VideoInfo(
        path=path,
        container=container.format.name,
        stream_index=stream.index,
        codec=context.codec.canonical_name,
        profile=stream.profile,
        width=frame.width,
        height=frame.height,
        pix_fmt=frame.format.name,
        bit_depth=depth,
        time_base=stream.time_base or Fraction(1, av.time_base),
        frame_rate=stream.average_rate or stream.guessed_rate or Fraction(25),
        clock_start_s=(container.start_time or 0) / av.time_base,
        duration_s=_duration_s(container, stream),
        display_matrix=matrix,
        rotation=rotation,
        mirrored=mirrored,
        sar=sar,
        field_order=_field_order(context.field_order, frame),
        fields_alone=alone,
        colour=colour,
        hdr=_hdr(frame),
        timecode=_timecode(stream.metadata) or _timecode(container.metadata),
        bit_rate=stream.bit_rate or container.bit_rate or 0,
        declared_frames=stream.frames,
        streams=tuple(_summary(s) for s in container.streams),
        warnings=tuple(warnings),
    )


def _timecode(tags: dict[str, str]) -> str | None:
    """Matroska writes its tags' names in capitals."""
    return next((v for k, v in tags.items() if k.upper() == "TIMECODE"), None)


def _field_order(declared: int, frame: VideoFrame) -> int:
    """The header's word, else the first frame's."""
    if declared > 1 or not frame.interlaced_frame:
        return declared
    return TOP_FIRST if field_order_of(frame) == FieldOrder.TOP_FIRST else BOTTOM_FIRST


def _display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    packed = side_data_of(frame).get("DISPLAYMATRIX")
    if packed is not None:
        return struct.unpack("=9i", packed[:36])
    if frame.rotation == 0:
        return None
    turn = upright_from_coded(frame.rotation // 90 * 90 % 360, mirrored=False)
    (a, c), (b, d) = (turn * (1 << 16)).astype(int).tolist()
    return a, b, 0, c, d, 0, 0, 0, 1 << 30


def _orientation(matrix: tuple[int, ...] | None, warnings: list[str]) -> tuple[int, bool]:
    if matrix is None:
        return 0, False
    a, b, _, c, d = matrix[:5]
    mirrored = a * d - b * c < 0
    angle = math.degrees(math.atan2(-b, a)) + (180 if mirrored else 0)
    rotation = round(angle / 90) * 90 % 360
    if abs((angle - rotation + 180) % 360 - 180) > 0.5:
        warnings.append(f"turned by {angle:.1f}°: taken as {rotation}° for finding faces")
    return rotation, mirrored


def _colour(frame: VideoFrame, lines: int, warnings: list[str]) -> Colour:
    is_rgb = frame.format.is_rgb
    tagged = int(frame.colorspace)
    matrix = tagged
    if is_rgb:
        matrix = tagged = RGB_MATRIX
    elif tagged == UNSPECIFIED:
        matrix = BT601 if lines < 720 else BT709
        name = "bt601" if matrix == BT601 else "bt709"
        warnings.append(f"no colour matrix tagged: {name} assumed for {lines} lines")
    full = is_rgb or int(frame.color_range) == FULL_RANGE or frame.format.name.startswith("yuvj")
    return Colour(
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        matrix=matrix,
        tagged_matrix=tagged,
        tagged_range=int(frame.color_range),
        full_range=full,
    )


def _sample_aspect(stream: VideoStream, warnings: list[str]) -> Fraction:
    sar = stream.sample_aspect_ratio
    if not sar:
        return Fraction(1)
    if not Fraction(1, 8) <= sar <= 8:
        warnings.append(f"sample aspect ratio {sar} is absurd: square pixels assumed")
        return Fraction(1)
    return sar


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def _hdr(frame: VideoFrame) -> tuple[bytes | None, bytes | None]:
    found = side_data_of(frame)
    return found.get("MASTERING_DISPLAY_METADATA"), found.get("CONTENT_LIGHT_LEVEL")


def _summary(stream: Stream) -> StreamSummary:
    context = stream.codec_context
    name = context.codec.canonical_name if context is not None else "unknown"
    return StreamSummary(
        index=stream.index,
        kind=stream.type,
        codec=name,
        language=stream.language,
        is_cover=bool(stream.disposition & COVER),
    )
