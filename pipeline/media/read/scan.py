"""The frames of a clip, from its packets alone."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import InvalidDataError
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.bitstream.units import UnitFormat, unit_format
from pipeline.media.boxes.movie import read_movie
from pipeline.media.info import VideoInfo
from pipeline.media.opening import one_line_errors, open_video, ready_decoder, video_stream
from pipeline.media.read.envelope import missing_bytes
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.part_packets import packets_of
from pipeline.media.read.places import durations_of, places_of

TRUNCATION_SLACK_S = 0.5
RISING_TIMES = (
    "give them times of their own, without encoding: ffmpeg -i IN -map 0 -c copy "
    r"-bsf:v 'setts=pts=max(PTS\,PREV_OUTPTS+1):dts=max(DTS\,PREV_OUTDTS+1)' OUT"
)
EVEN_TIMES = "give them even times: ffmpeg -i IN -map 0 -c copy -c:v ffv1 -fps_mode cfr OUT.mkv"
KEYS_STAND_ALONE = frozenset(("prores", "dnxhd", "dvvideo", "mjpeg", "ffv1", "png", "v210"))
"""Codecs of which decoding may begin at any key frame and looks back no further."""


@dataclass(frozen=True)
class _Rows:
    """Packets, as the file holds them, a column each: of a clip of hours as many as frames.

    Attributes:
        pts: `(R,)` int64, 0 where there is none.
        is_timed, is_key, is_shown, opens: `(R,)` bool.
        duration, size: `(R,)` int64.
    """

    pts: NDArray[np.int64]
    is_timed: NDArray[np.bool_]
    is_key: NDArray[np.bool_]
    is_shown: NDArray[np.bool_]
    opens: NDArray[np.bool_]
    duration: NDArray[np.int64]
    size: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pts)


def scan(path: str, info: VideoInfo) -> FrameIndex:
    """Index a clip by its packets, without decoding (but for a recording's broken first group).

    Frames that an edit list hides are left out, as every player does; time stamps are continued
    over a wrap of MPEG-TS's 33 bits.

    Raises:
        MediaError: the file ends before what it declares, has no frames, frames without a time, or
            two frames at one time.
    """
    missing = missing_bytes(path)
    if missing:
        raise MediaError(f"{path}: cut short, {missing} bytes of what it declares are missing")
    with open_video(path) as container, one_line_errors(path, "read its packets"):
        stream = video_stream(container, info)
        rows = _stored_rows(path, stream, info) or _read_rows(container, stream, info)
        declared_s = min(_declared_end_s(stream), _container_end_s(container, stream))
        if not info.times_by_order:
            _check_timed(path, rows)
    if info.times_by_order:
        rows = _timed_by_order(rows)
    lost = _without_reference(path, info, rows)
    is_whole = rows.is_shown & ~np.isin(rows.pts, list(lost))
    if not is_whole.any():
        raise MediaError(f"{path}: its video stream holds no frames")
    found = np.flatnonzero(is_whole)
    order = found[np.argsort(rows.pts[found], kind="stable")]
    index = FrameIndex(
        pts=rows.pts[order],
        is_key=rows.is_key[order],
        duration=rows.duration[order],
        notes=_note_lost(len(lost)),
        size=rows.size[order],
        coded=np.argsort(np.argsort(order)),
        group=_groups(rows, is_whole)[order],
    )
    _check_distinct(path, index, is_reordered=bool(np.any(np.diff(index.coded) < 0)))
    _check_complete(path, index, info.time_base, declared_s)
    return index


def _stored_rows(path: str, stream: VideoStream, info: VideoInfo) -> _Rows | None:
    """Of packets that tell nothing but by their bytes' number, by the file's index, unread.

    None where they must be read.
    """
    movie = read_movie(path) if info.codec in KEYS_STAND_ALONE else None
    track, places = movie and movie.track(stream.id), places_of(stream, movie)
    if not track or not places or (places.at + places.size).max() > Path(path).stat().st_size:
        return None
    duration = durations_of(places, track)
    if duration is None:
        return None
    is_key, is_timed = places.is_key, np.ones(len(places), np.bool_)
    return _Rows(places.ticks, is_timed, is_key, ~places.is_hidden, is_key, duration, places.size)


def _read_rows(container: InputContainer, stream: VideoStream, info: VideoInfo) -> _Rows:
    form = unit_format(info.codec, stream.codec_context.extradata)
    numbers = [array("q") for _ in range(3)]
    flags = [bytearray() for _ in range(4)]
    for packet in packets_of(container, [stream]):
        if not packet.size:
            continue
        is_key = packet.is_keyframe
        told = packet.pts or 0, packet.duration or 0, packet.size
        opens = is_key and _opens(packet, info, form)
        marks = packet.pts is not None, is_key, _is_shown(packet, info), opens
        for column, value in zip((*numbers, *flags), (*told, *marks), strict=True):
            column.append(value)
    pts, duration, size = (np.array(column, np.int64) for column in numbers)
    is_timed, is_key, is_shown, opens = (np.array(column, np.bool_) for column in flags)
    return _Rows(pts, is_timed, is_key, is_shown, opens, duration, size)


def _opens(packet: Packet[VideoStream], info: VideoInfo, form: UnitFormat | None) -> bool:
    """Whether a key frame's packet begins what decodes by itself."""
    if form is not None:
        return form.opens_sequence(memoryview(packet))
    return info.codec in KEYS_STAND_ALONE


def _groups(rows: _Rows, is_whole: NDArray[np.bool_]) -> NDArray[np.int64]:
    """`(R,)` number of the closed group each packet is of, in the order of the file.

    A group opens where no earlier packet is shown later and no later one earlier.
    """
    pts, opens = rows.pts, rows.opens.copy()
    opens[1:] &= np.maximum.accumulate(pts)[:-1] < pts[1:]
    opens &= np.minimum.accumulate(pts[::-1])[::-1] == pts
    group = np.cumsum(opens) - 1
    group[np.isin(group, np.unique(group[~is_whole]))] = -1
    return group


def _check_timed(path: str, rows: _Rows) -> None:
    untimed = int(np.count_nonzero(~rows.is_timed))
    if untimed:
        raise MediaError(
            f"{path}: {untimed} of {len(rows)} frames have no time stamp; "
            "remux it into mp4 or mkv at its frame rate first"
        )


def _timed_by_order(rows: _Rows) -> _Rows:
    """AVI counts frames and knows no reordering: shown frame k is at k frames.

    Where decoding can start again is not told by its packets, so only the first frame is a key.
    """
    number = np.arange(len(rows))
    return replace(rows, pts=number, duration=np.ones_like(number), is_key=number == 0)


def _without_reference(path: str, info: VideoInfo, rows: _Rows) -> set[int]:
    """pts of first frames that no decoder shows: the recording began after what they refer to.

    Whether leading frames decode is not in the packets, so the first group is decoded to see.
    """
    keys = np.flatnonzero(rows.is_key)
    if not len(keys):
        return set()
    first_key, key_pts = keys[0], rows.pts[keys[0]]
    before = (np.arange(len(rows)) < first_key) | (rows.pts < key_pts)
    doubtful: set[int] = set(rows.pts[rows.is_shown & before].tolist())
    if not doubtful:
        return set()
    with open_video(path) as container, one_line_errors(path, "decode its first frames"):
        stream = video_stream(container, info)
        ready_decoder(stream, threads=1)
        for packet in container.demux(stream):
            try:
                frames = stream.decode(packet)
            except InvalidDataError:
                continue
            doubtful -= {frame.pts or 0 for frame in frames if not frame.is_corrupt}
            if any((frame.pts or 0) >= key_pts for frame in frames):
                break
    return doubtful


def _note_lost(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"the recording starts inside a group of pictures: {count} frames cannot be decoded",)


def _is_shown(packet: Packet[VideoStream], info: VideoInfo) -> bool:
    if packet.is_discard:
        return False
    # A VP8 stream stores its hidden reference frames as packets of their own.
    return info.codec != "vp8" or bool(bytes(packet)[0] & 0x10)


def _check_distinct(path: str, index: FrameIndex, *, is_reordered: bool) -> None:
    """Refuse two frames at one time: no container here holds them, and no player shows both."""
    twice = int(np.count_nonzero(np.diff(index.pts) <= 0))
    if twice:
        instead = EVEN_TIMES if is_reordered else RISING_TIMES
        raise MediaError(
            f"{path}: {twice} of {len(index)} frames share another's time stamp; {instead}"
        )


def _check_complete(path: str, index: FrameIndex, base: Fraction, declared_s: float) -> None:
    end_s = float((index.pts[-1] + index.duration[-1]) * base)
    if end_s + TRUNCATION_SLACK_S < declared_s:
        raise MediaError(
            f"{path}: cut short, its video ends at {end_s:.2f} s; it declares {declared_s:.2f} s"
        )


def _declared_end_s(stream: VideoStream) -> float:
    """Where the video stream should end by its header, on the stream's own time scale; 0 if unsaid.

    Matroska keeps it in a DURATION tag per track, counted from 0 and not from the first frame.
    """
    if stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0


def _container_end_s(container: InputContainer, stream: VideoStream) -> float:
    """A second opinion: a Matroska tag outlives cuts that the container's own duration follows."""
    if stream.duration or not container.duration:
        return math.inf
    return ((container.start_time or 0) + container.duration) / av.time_base
