"""Opening files for reading, and turning what FFmpeg raises into one line that names the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
from av.codec.hwaccel import HWAccel
from av.container import Container, InputContainer, OutputContainer
from av.video.stream import VideoStream

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo

HEAD_BYTES = 512
MAX_PIXELS = 16384 * 8192
"""The largest frame that is decoded; a decoder refuses beyond it before it allocates."""


FOOTAGE = (
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpeg"),
    *("mpegtsraw", "mxf", "mxf_opatom", "nut", "flv", "live_flv", "asf", "asf_o", "ogg", "gxf"),
    *("dv", "ivf", "h264", "hevc", "av1", "obu", "vvc", "m4v", "mjpeg", "mpegvideo", "vc1"),
    *("dirac", "rawvideo", "yuv4mpegpipe", "swf", "rm", "wtv", "nsv", "gif", "apng"),
    *("wav", "mp3", "aac", "flac", "aiff", "caf", "w64", "ac3", "webp_pipe"),
    *("png_pipe", "jpeg_pipe", "tiff_pipe", "bmp_pipe", "dpx_pipe", "exr_pipe"),
)
"""Demuxers that may open a file: of footage, and of sound and pictures, so that those are refused
by their name. None of them reads other files; playlists (concat, hls, dash, …) do."""
READING = {"format_whitelist": ",".join(FOOTAGE), "protocol_whitelist": "file"}


@contextmanager
def one_line_errors(path: str | os.PathLike[str], doing: str) -> Iterator[None]:
    """Raise what FFmpeg or the system says as `MediaError: <path>: cannot <doing>: <reason>`."""
    try:
        yield
    except (av.FFmpegError, OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise MediaError(f"{path}: cannot {doing}: {reason}") from error


def is_text(path: Path) -> bool:
    """Whether a file begins as text does, a playlist for one: no footage that grows ever does.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return bool(head) and not any(byte < 0x20 and byte not in b"\t\n\r" for byte in head)


@contextmanager
def open_video(path: str, decoder: HWAccel | None = None) -> Iterator[InputContainer]:
    """A container open for reading, closed on leaving.

    Args:
        decoder: a device that decodes in the CPU's place.
    Raises:
        MediaError: missing, a folder, empty, or no file FFmpeg can read.
    """
    file = Path(path)
    if not file.exists():
        raise MediaError(f"{path}: no such file")
    if not file.is_file():
        raise MediaError(f"{path}: not a file")
    if file.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty (0 bytes)")
    try:
        # In a relative name, what stands before a colon would be a protocol.
        whole = str(file.absolute())
        container = av.open(whole, metadata_errors="replace", options=READING, hwaccel=decoder)
    except (av.FFmpegError, OSError) as error:
        raise MediaError(
            f"{path}: cannot be opened as a video ({error.strerror or error}): "
            "not a media file, or cut before its index was written"
        ) from error
    with container:
        yield container


def close_quietly(container: Container) -> None:
    """Closes a container whose file is given up: what else goes wrong with it is of no interest."""
    with suppress(av.FFmpegError, OSError):
        container.close()
    if isinstance(container, OutputContainer):
        _close_forgotten(container.name)


def _close_forgotten(path: str) -> None:
    """PyAV leaves the file open where its header could not be written; deleted, it keeps its room.

    Partials are named by one writer alone, so nobody else's file is closed.
    """
    with suppress(FileNotFoundError):  # /proc is Linux's
        for link in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                if str(link.readlink()).removesuffix(" (deleted)") == os.path.realpath(path):
                    os.close(int(link.name))


def video_stream(container: InputContainer, info: VideoInfo) -> VideoStream:
    """The stream that `info` describes.

    Raises:
        MediaError: the file is not the one that was probed any more.
    """
    streams = {s.index: s for s in container.streams.video}
    if info.stream_index not in streams:
        raise MediaError(f"{info.path}: stream {info.stream_index} is no video any more")
    return streams[info.stream_index]


def ready_decoder(stream: VideoStream, threads: int) -> None:
    """Set the stream's decoder up: frame and slice threads, and no frame beyond MAX_PIXELS.

    H.264 has one thread, whatever is asked: its frame threads may hand a picture out before they
    know that it is damaged, its slice threads never say so.
    """
    stream.thread_type = "AUTO"
    stream.thread_count = 1 if stream.codec_context.codec.canonical_name == "h264" else threads
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
