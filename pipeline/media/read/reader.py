"""Frames for finding faces: upright RGB, by number, from the reader that is best for the file.

Measured on 2 cores over three clips, 200–256 frames each, opening included, CPU ms per frame:
PyAV with `display_rgb` 0.6–2.4, decord 0.65–3.5. Of 24 runs on the same frames decord was the
faster one in 4, by 8 % at most; so `auto` is PyAV. decord stays as an explicit choice, where it is
proved to show the same frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo
from pipeline.media.read.decode import decode_range, display_rgb
from pipeline.media.read.scan import FrameIndex, times_s

Reader = Literal["auto", "pyav", "decord"]
READERS = ("auto", "pyav", "decord")
CLOCK_SLACK_S = 1e-3
BT601_LIKE = (5, 6)


def analysis_frames(
    path: str,
    info: VideoInfo,
    index: FrameIndex,
    first: int,
    last: int,
    *,
    reader: Reader = "auto",
    threads: int = 2,
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Frame numbers `first`…`last` with their pictures, `(H, W, 3)` uint8 of `info.display_size`.

    Args:
        reader: `decord` reads in order from the file's start, whatever `first` is, since its
            random access is wrong in open GOPs.
    Raises:
        MediaError: an unknown reader; `decord` where it would show other frames, times or colours;
            whatever decode_range raises.
    """
    if reader not in READERS:
        raise MediaError(f"no reader {reader!r}; known: {', '.join(READERS)}")
    if reader == "decord":
        yield from _decord_frames(path, info, index, first, last, threads=threads)
        return
    frames = decode_range(path, info, index, first, last, threads=threads)
    for number, frame in enumerate(frames, start=first):
        yield number, display_rgb(frame, info)


def _decord_frames(
    path: str, info: VideoInfo, index: FrameIndex, first: int, last: int, *, threads: int
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    if not 0 <= first <= last < len(index):
        raise MediaError(
            f"{path}: asked for frames {first}–{last}; expected within 0–{len(index) - 1}"
        )
    video = _open_with_decord(path, threads)
    reason = why_not_decord(info, index, video)
    if reason:
        raise MediaError(f"{path}: decord cannot read this faithfully: {reason}; use pyav")
    if first:
        video.skip_frames(first)
    for number in range(first, last + 1):
        yield number, video.next().asnumpy()


def _open_with_decord(path: str, threads: int) -> Any:
    try:
        import decord
    except ImportError as error:
        raise MediaError("the decord reader needs the package decord2; use pyav") from error
    try:
        return decord.VideoReader(path, num_threads=threads)
    except (decord.DECORDError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise MediaError(f"{path}: decord cannot open it: {reason}") from error


def why_not_decord(info: VideoInfo, index: FrameIndex, video: Any) -> str | None:
    """Why decord's frames would not be those of the index, or None where they are.

    Args:
        video: an opened `decord.VideoReader` of the same file.
    """
    if info.is_mpegts:
        return "MPEG-TS (it repeats frames)"
    if info.rotation or info.mirrored or info.sar != 1:
        return "the picture is turned or its pixels are not square"
    if info.colour.matrix_assumed and info.colour.matrix not in BT601_LIKE:
        return "no colour matrix is tagged, and it would take bt601"
    if len(video) != len(index):
        return f"it sees {len(video)} frames of {len(index)} (an edit list hides some)"
    starts_s = np.asarray(video.get_frame_timestamp(range(len(index))))[:, 0]
    expected_s = times_s(info, index)
    off_s = np.abs((starts_s - starts_s[0]) - (expected_s - expected_s[0])).max()
    if off_s > CLOCK_SLACK_S:
        return f"its times are up to {off_s * 1000:.1f} ms off"
    return None
