"""Before any work: can this output be written? What inspect knows, inspect refuses."""

from __future__ import annotations

import os
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from pipeline.errors import MediaError
from pipeline.media.boxes.movie import read_movie
from pipeline.media.info import VideoInfo
from pipeline.media.opening import open_video
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.write.avi import avi_tick
from pipeline.media.write.containers import MUXERS, muxer_of
from pipeline.media.write.copying import is_attachment, is_made_elsewhere
from pipeline.media.write.encoding.settings import EncodeSettings


def check_output(
    info: VideoInfo, settings: EncodeSettings, output: str, index: FrameIndex | None = None
) -> tuple[str, ...]:
    """Asks FFmpeg's muxer for every stream, without writing anything.

    Args:
        index: of the source, for containers that do not hold all times.
    Returns:
        what a report should tell of the container, one line each.
    Raises:
        MediaError: the container cannot hold the video, its times or a sound stream; the line names
            one that can.
    """
    muxer = muxer_of(output)
    if muxer == "avi" and index is not None and avi_tick(info, index) is None:
        raise MediaError(
            f"{info.path}: avi counts frames at one rate from 0; this one is shown otherwise; "
            f"--output {Path(output).stem}.mov or --container mov can"
        )
    refused = _refused_by(info, settings, muxer)
    if refused:
        able = [s for s in (".mov", ".mkv", ".mp4") if not _refused_by(info, settings, MUXERS[s])]
        way = f"--output {Path(output).stem}{able[0]} or --container {able[0][1:]}" if able else ""
        instead = f"; {way} can" if able else ""
        raise MediaError(f"{info.path}: {muxer} cannot hold its {refused}{instead}")
    before, after = Path(info.path).suffix.lower(), Path(output).suffix.lower()
    if before not in MUXERS and before != after:
        return (f"{before or 'this kind of file'} cannot be written: the output is {after}",)
    return ()


def _refused_by(info: VideoInfo, settings: EncodeSettings, muxer: str) -> str | None:
    """The first stream a container cannot hold."""
    movie = read_movie(info.path)
    target = av.open(os.devnull, "w", format=muxer)
    with open_video(info.path) as source:
        for stream in source.streams:
            if stream.index == info.stream_index:
                if not _takes_video(target, settings):
                    return f"{settings.encoder} video"
                continue
            if stream.type not in ("audio", "video") or is_made_elsewhere(stream, movie):
                continue
            if is_attachment(stream, target):
                continue
            try:
                target.add_stream_from_template(stream, opaque=True)
            except ValueError:
                context = stream.codec_context
                codec = context.codec.canonical_name if context is not None else "unknown"
                return f"{stream.type} stream {stream.index} ({codec})"
    return None


def _takes_video(target: OutputContainer, settings: EncodeSettings) -> bool:
    try:
        return isinstance(target.add_stream(settings.encoder, rate=25), VideoStream)
    except ValueError:
        return False
