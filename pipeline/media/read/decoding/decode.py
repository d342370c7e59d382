"""Frames by their number: each asked-for frame exactly once, in the order it is shown.

A key frame is a safe start only for the frames shown from it on: what precedes it in time but
follows it in the file (an open GOP's leading frames) needs an earlier one. Containers also seek by
decoding time, some only roughly. So every start is checked: the first frame delivered must be the
one asked for and sound, else decoding starts again further back, at last from the file's start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.error import InvalidDataError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.fields import Field, Picture
from pipeline.media.info import RGB_MATRIX, VideoInfo
from pipeline.media.opening import one_line_errors, open_video, ready_decoder, video_stream
from pipeline.media.read.decoding.nvdec import as_decoded_here
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.views.choice import view_of

BY_KEYS_BACK = (1, 2, 4, 8)


@dataclass(frozen=True)
class _Request:
    path: str
    info: VideoInfo
    index: FrameIndex
    first: int
    last: int
    threads: int
    decoder: HWAccel | None = None


class _WrongStartError(Exception):
    """Decoding began too late for the first frame asked for."""


def decode_range(
    path: str,
    info: VideoInfo,
    index: FrameIndex,
    first: int,
    last: int,
    *,
    threads: int = 2,
    decoder: HWAccel | None = None,
) -> Iterator[VideoFrame]:
    """Frames `first`…`last` (numbers in the index, both included), as the decoder gives them.

    Memory does not grow with the range. A frame's buffers may be the decoder's own references:
    call `frame.make_writable()` before changing one.

    Args:
        decoder: a device that decodes in the CPU's place (nvdec.py).
    Raises:
        MediaError: a damaged packet or frame, a frame missing from the range, a frame of another
            size or format than the first, a range outside the index.
    """
    if not 0 <= first <= last < len(index):
        raise MediaError(
            f"{path}: asked for frames {first}–{last}; expected within 0–{len(index) - 1}"
        )
    request = _Request(path, info, index, first, last, threads, decoder)
    starts = _starts(index, first)
    for attempt, start_pts in enumerate(starts):
        frames = _decode_from(request, start_pts)
        try:
            head = next(frames)
        except _WrongStartError as error:
            if attempt == len(starts) - 1:
                raise MediaError(f"{path}: {error}") from error
            continue
        yield head
        yield from frames
        return


def _starts(index: FrameIndex, first: int) -> list[int | None]:
    """Where to try to start, best first: pts of key frames, then None for the file's start."""
    before = index.cut.keys if index.cut else ()
    keys = [*before, *index.pts[: first + 1][index.is_key[: first + 1]].tolist()]
    back: list[int | None] = [keys[-n] for n in BY_KEYS_BACK if n <= len(keys)]
    if back and back[-1] == (index.cut.origin if index.cut else index.pts[0]):
        back.pop()
    return [*back, None]


def _decode_from(request: _Request, start_pts: int | None) -> Iterator[VideoFrame]:
    path, index, first, last = request.path, request.index, request.first, request.last
    expected = first
    doing = one_line_errors(path, f"decode frames {first}–{last}")
    with doing, open_video(path, request.decoder) as container:
        stream = video_stream(container, request.info)
        ready_decoder(stream, request.threads)
        before = index.cut.before if index.cut else 0
        frames = _frames_after_seek(path, container, stream, start_pts)
        for number, frame in enumerate(frames, -before):
            if request.info.times_by_order and number < len(index):  # decoded from the beginning
                frame.pts = int(index.pts[number]) if number >= 0 else None
            if frame.pts is None or frame.pts < index.pts[first]:
                continue
            if frame.pts != index.pts[expected] or frame.is_corrupt:
                _refuse(path, index, frame, expected, at_start=expected == first)
            shown = as_decoded_here(frame, request.info.pix_fmt) if request.decoder else frame
            _check_shape(path, request.info, shown, expected)
            yield shown
            expected += 1
            if expected > last:
                return
    raise MediaError(
        f"{path}: {last + 1 - expected} of {last + 1 - first} frames are missing from frame "
        f"{expected} on; the file is damaged or cut short"
    )


def _frames_after_seek(
    path: str, container: InputContainer, stream: VideoStream, start_pts: int | None
) -> Iterator[VideoFrame]:
    if start_pts is not None:
        container.seek(start_pts, stream=stream)
    started = start_pts is None
    for packet in container.demux(stream):
        if not started:
            # MPEG-TS seeks to any packet; mp4 seeks by decoding time, maybe past the key frame.
            if packet.size and not packet.is_keyframe:
                continue
            if packet.pts is None or start_pts is None or packet.pts > start_pts:
                raise _WrongStartError("seeking led past the frame asked for")
            started = True
        try:
            frames = stream.decode(packet)
        except InvalidDataError as error:
            raise MediaError(
                f"{path}: a damaged packet at pts {packet.pts} cannot be decoded"
            ) from error
        yield from frames


def _refuse(
    path: str, index: FrameIndex, frame: VideoFrame, expected: int, *, at_start: bool
) -> None:
    if frame.pts == index.pts[expected]:
        problem = f"frame {expected} (pts {frame.pts}) is damaged"
    else:
        found = int(np.searchsorted(index.pts, frame.pts or 0))
        problem = (
            f"{max(found - expected, 1)} frames are missing at frame {expected} "
            f"(got pts {frame.pts}, expected {index.pts[expected]})"
        )
    if at_start:
        raise _WrongStartError(problem)
    raise MediaError(f"{path}: {problem}")


def _check_shape(path: str, info: VideoInfo, frame: VideoFrame, number: int) -> None:
    if (frame.width, frame.height, frame.format.name) != (info.width, info.height, info.pix_fmt):
        raise MediaError(
            f"{path}: frame {number} is {frame.width}x{frame.height} {frame.format.name}; expected "
            f"{info.width}x{info.height} {info.pix_fmt} throughout"
        )


def display_rgb(frame: Picture, info: VideoInfo) -> NDArray[np.uint8]:
    """`(H, W, 3)` uint8 RGB, full range, upright and in square pixels: for finding faces.

    Its size is `info.display_size`, of a field too, whose lines lie where they lie in its frame; of
    HDR and log a display picture (views). Fast rather than exact: never write it back.
    """
    lines = frame.alone() if isinstance(frame, Field) else frame
    if info.colour.matrix != RGB_MATRIX:
        lines.colorspace = info.colour.matrix
    view = view_of(info)
    rgb = lines.reformat(
        format="rgb24" if view is None or info.bit_depth == 8 else "rgb48le",
        src_color_range=2 if info.colour.full_range else 1,
        dst_color_range=2,
        threads=1,
    ).to_ndarray()
    shown = (rgb if view is None else view.picture(rgb)).astype(np.uint8, copy=False)
    return upright(frame.in_frame(shown) if isinstance(frame, Field) else shown, info)


def upright(rgb: NDArray[np.uint8], info: VideoInfo) -> NDArray[np.uint8]:
    """Coded pixels → square pixels, mirrored and turned as the display matrix says."""
    if info.square_size != (info.width, info.height):
        rgb = cv2.resize(rgb, info.square_size, interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    if info.mirrored:
        rgb = rgb[:, ::-1]
    return np.ascontiguousarray(np.rot90(rgb, info.rotation // 90))
