"""Writing one piece of a clip: a closed run of frames that joins its neighbours by packet.

The encoder counts frames at the nominal rate (MPEG-2 and MPEG-4 refuse a clock of 1/90000, and no
encoder needs the truth); each packet then gets the true time of its frame, in the source's own
time base. A piece's clock starts at its first frame: mp4 keeps such times exactly, but a late
start only to a movie tick. `finish` knows every frame's true pts and puts it back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.errors import MediaError
from pipeline.files import publish
from pipeline.media.bitstream.units import MARKS, START_CODE
from pipeline.media.info import VideoInfo
from pipeline.media.opening import close_quietly, one_line_errors
from pipeline.media.planes import VideoFrame
from pipeline.media.read.envelope import missing_bytes
from pipeline.media.write.encoding.convert import FrameConverter
from pipeline.media.write.encoding.scheduling import scheduling_kept
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.partials import partial_path

DEFAULT_PLACES = ("unspecified", "left")
MOST_REORDERED = 16
"""Frames by which a packet may precede its showing in any codec (H.264 §A.3.1, H.265 §A.4.2). x265
gives decoding times at random for pieces of one or two frames, so they are counted here."""

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes its banner to stderr past FFmpeg's log


class PieceWriter:
    """Encodes frames into one piece; a piece that fails leaves no file behind.

    As a context manager: leaving without an error closes the piece, leaving with one removes it.
    """

    def __init__(self, path: str, info: VideoInfo, settings: EncodeSettings) -> None:
        self.path = path
        self._info = info
        self._convert = FrameConverter(settings.pix_fmt)
        self._tick = 1 / Fraction(settings.frame_rate)
        self._part = partial_path(Path(path))
        self._pts: list[int] = []
        self._last_duration = 0
        self._written = 0
        self._copies = settings.copies_untouched
        self._waiting: dict[int, Packet[VideoStream]] = {}
        self._reorder = MOST_REORDERED if settings.gop != 1 else 0
        self._container: OutputContainer | None = None
        with one_line_errors(path, f"start {settings.encoder}"), self._removed_on_error():
            self._container = av.open(
                str(self._part),
                "w",
                format=settings.piece_format,
                container_options=_clock_options(info, settings),
            )
            self._stream = _add_encoder(self._container, info, settings)
            with scheduling_kept():
                self._container.start_encoding()  # a wrong folder or option shows now

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def write(self, frame: VideoFrame) -> None:
        """Encode one frame. Its pts, in the source's time base, must be above the one before.

        Raises:
            MediaError: a pts that does not rise, another size or format than the source's, what the
                encoder or the disk complains of.
        """
        pts, time_base = self._check_time(frame), frame.time_base
        shape = frame.width, frame.height, frame.format.name
        if shape != (self._info.width, self._info.height, self._info.pix_fmt):
            # PyAV would rescale it without a word.
            raise MediaError(
                f"{self.path}: got a frame of {shape}; expected "
                f"{(self._info.width, self._info.height, self._info.pix_fmt)}"
            )
        self._pts.append(pts)
        self._last_duration = frame.duration
        with one_line_errors(self.path, f"encode the frame at pts {pts}"), self._removed_on_error():
            given = self._convert(frame)
            given.pict_type = 0
            given.pts, given.time_base = len(self._pts) - 1, self._tick
            try:
                packets = self._stream.encode(given)
            finally:
                frame.pts, frame.time_base = pts, time_base
            self._mux(packets)

    def _check_time(self, frame: VideoFrame) -> int:
        pts = frame.pts
        if pts is None or (self._pts and pts <= self._pts[-1]):
            raise MediaError(
                f"{self.path}: got a frame at pts {pts}; expected one above {self._pts[-1:]}"
            )
        return pts

    def close(self) -> int:
        """Flush, check and publish the piece.

        Returns:
            how many frames it holds.
        Raises:
            MediaError: no frames were written, or fewer than given came out.
        """
        if self._container is None:
            return self._written
        with one_line_errors(self.path, "finish the piece"), self._removed_on_error():
            if not self._pts:
                raise MediaError(f"{self.path}: got no frames; expected at least one")
            self._mux(self._stream.encode(None))
            self._container.close()
            self._container = None
            missing = missing_bytes(str(self._part))
            if self._written != len(self._pts) or missing:
                raise MediaError(
                    f"{self.path}: {self._written} of {len(self._pts)} frames were written, "
                    f"{missing} bytes are missing"
                )
            publish(self._part, Path(self.path))
        return self._written

    def abort(self) -> None:
        """Drop the piece; nothing stays on disk."""
        if self._container is not None:
            close_quietly(self._container)
            self._container = None
        self._part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _removed_on_error(self) -> Iterator[None]:
        with contextlib.ExitStack() as undo:
            undo.callback(self.abort)
            yield
            undo.pop_all()

    def _mux(self, packets: Sequence[Packet[VideoStream]]) -> None:
        for packet in self._in_order(packets):
            number = packet.pts
            if number is None or not 0 <= number < len(self._pts) or self._container is None:
                raise MediaError(f"{self.path}: the encoder gave a packet the time {number}")
            packet.pts = self._pts[number] - self._pts[0]
            packet.dts = self._decoding_time(self._written - self._reorder)
            packet.duration = self._duration(number)
            packet.time_base = self._info.time_base
            packet.stream = self._stream
            self._container.mux(packet)
            self._written += 1

    def copy(self, data: bytes, frame: VideoFrame) -> None:
        """Write one frame as its source holds it; for codecs whose every frame stands for itself.

        Args:
            data: its packet; of H.264 and HEVC with start codes.
            frame: as decoded; its time is what counts.
        Raises:
            MediaError: a pts that does not rise, what the disk complains of.
        """
        self._pts.append(self._check_time(frame))
        self._last_duration = frame.duration
        packet = cast("Packet[VideoStream]", Packet(data))
        packet.pts, packet.is_keyframe = len(self._pts) - 1, True
        with one_line_errors(self.path, "copy a frame"), self._removed_on_error():
            self._mux([packet])

    def leave(self, frame: VideoFrame) -> None:
        """Leave one frame to the join, which takes the source's packet: of codecs whose packets
        need their own stream's header (H.264, HEVC), where every frame stands for itself.

        Raises:
            MediaError: as of `copy`.
        """
        self.copy(START_CODE + MARKS[self._info.codec], frame)

    def _in_order(self, packets: Sequence[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """Packets by number: an encoder gives some late, while copied ones are there at once."""
        if not self._copies:
            yield from packets
            return
        self._waiting |= {packet.pts or 0: packet for packet in packets}
        while self._written in self._waiting:
            yield self._waiting.pop(self._written)

    def _decoding_time(self, order: int) -> int:
        if order >= 0:
            return self._pts[order] - self._pts[0]
        return order * max(1, round(self._tick / self._info.time_base))

    def _duration(self, number: int) -> int:
        if number + 1 < len(self._pts):
            return self._pts[number + 1] - self._pts[number]
        return self._last_duration or max(1, round(self._tick / self._info.time_base))


def _clock_options(info: VideoInfo, settings: EncodeSettings) -> dict[str, str]:
    if settings.piece_format not in ("mp4", "mov"):
        return {}
    return {"video_track_timescale": str(info.time_base.denominator)}


def _place_option(info: VideoInfo) -> dict[str, str]:
    told = info.chroma_place not in DEFAULT_PLACES
    return {"chroma_sample_location": info.chroma_place} if told else {}


def _add_encoder(
    container: OutputContainer, info: VideoInfo, settings: EncodeSettings
) -> VideoStream:
    try:
        stream = container.add_stream(
            settings.encoder,
            rate=Fraction(settings.frame_rate),
            options={**settings.options, **_place_option(info)},
        )
    except ValueError as error:
        raise MediaError(f"{info.path}: {error}") from error
    if not isinstance(stream, VideoStream):
        raise MediaError(f"{settings.encoder} is no video encoder")
    stream.width, stream.height, stream.pix_fmt = info.width, info.height, settings.pix_fmt
    stream.time_base = info.time_base
    context = stream.codec_context
    context.time_base = 1 / Fraction(settings.frame_rate)
    context.gop_size = settings.gop
    context.thread_type = "AUTO"  # PyAV's own default would cut each x264 frame into slices
    context.thread_count = settings.threads
    context.sample_aspect_ratio = info.sar
    context.color_primaries = info.colour.primaries
    context.color_trc = info.colour.transfer
    context.colorspace = info.colour.tagged_matrix
    context.color_range = info.colour.tagged_range
    if settings.interlaced:
        context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        context.field_order = info.field_order
    if settings.codec_tag:
        context.codec_tag = settings.codec_tag
    return stream
