"""Frames for finding faces: upright RGB, by number, by PyAV or, where proved equal, another.

Measured on 2 cores, opening included, CPU ms per frame (`jobs/benchmark.py pipeline` shows both in
one run). Three clips of 200–256 frames: PyAV with `display_rgb` 0.6–2.4, decord 0.65–3.5, decord
the faster one in 4 of 24 runs, by 8 % at most. 512², 720p and 1080p H.264 and 1080p HEVC: 2.2, 4.6,
10.6 and 9.7 against 2.3, 5.6, 11.0 and 12.3 (medians of 3). No kind of clip gains, so `auto` is
PyAV; decord is for who asks for it, and so is a GPU's decoder (nvdec.py), which has not been timed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.fields import Picture
from pipeline.media.info import VideoInfo
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.decoding.nvdec import give_up, gpu_decoder, why_not_nvdec
from pipeline.media.read.decoding.pictures import PictureReader
from pipeline.media.read.frame_index import FrameIndex, times_s
from pipeline.media.views.choice import view_of
from pipeline.pictures import FIRST, SECOND, WHOLE

Reader = Literal["av", "decord", "nvdec"]
READER_WORDS = ("auto", "av", "decord", "nvdec")
"""What may be asked for."""
CLOCK_SLACK_S = 1e-3
BT601_LIKE = (5, 6)


class ReaderChoice(NamedTuple):
    """The reader of a run and the sentence that says why."""

    name: Reader
    reason: str


class Shown(NamedTuple):
    """A picture for finding faces: its frame's number, what it is of it (pipeline/pictures.py),
    and `(H, W, 3)` uint8 of `info.display_size`, a field's too."""

    frame: int
    field: int
    rgb: NDArray[np.uint8]


def choose_reader(asked: str) -> ReaderChoice:
    """The reader for a word of READER_WORDS; decord never falls back, NVDEC does so by file.

    Raises:
        MediaError: an unknown word; decord where it is not installed.
    """
    if asked == "auto":
        return ReaderChoice("av", "decord gained nothing on any kind of clip measured")
    if asked == "av":
        return ReaderChoice("av", "as asked")
    if asked == "nvdec":
        return ReaderChoice("nvdec", "as asked; by the CPU where it is not proved equal (notes)")
    if asked != "decord":
        raise MediaError(f"no reader {asked!r}; known: {', '.join(READER_WORDS)}")
    _decord()
    return ReaderChoice("decord", "as asked")


def check_reader(path: str, info: VideoInfo, index: FrameIndex, reader: Reader) -> None:
    """Refuses decord for a clip of which it would show other frames, times or colours.

    Raises:
        MediaError: saying what would differ.
    """
    if reader == "decord":
        _Forward(path, info, index, threads=1)


def analysis_frames(
    path: str,
    info: VideoInfo,
    index: FrameIndex,
    first: int,
    last: int,
    *,
    reader: Reader = "av",
    threads: int = 2,
) -> Iterator[Shown]:
    """The pictures of frames `first`…`last`: frames, and of those that are fields both, in order.

    Args:
        reader: `nvdec` gives the samples of `av`, and is left for it where it does not; `decord`
            reads in order, since its random access is wrong in open GOPs: a process
            that is asked for one range after another goes on from where it is.
    Raises:
        MediaError: `decord` where it would show other frames, times or colours; whatever
            decode_range raises.
    """
    if reader == "decord":
        for number, rgb in _decord_frames(path, info, index, first, last, threads=threads):
            yield Shown(number, WHOLE, rgb)
        return
    told = PictureReader(info)
    if reader == "nvdec" and why_not_nvdec(path, info) is None:
        first = yield from _nvdec_frames(path, info, index, first, last)
    if first > last:
        return
    frames = decode_range(path, info, index, first, last, threads=threads)
    for number, frame in enumerate(frames, start=first):
        yield from shown_pictures(number, told.pictures(frame), info)


def shown_pictures(number: int, pictures: tuple[Picture, ...], info: VideoInfo) -> Iterator[Shown]:
    """A frame's pictures, of `PictureReader.pictures`, one by one."""
    fields = (FIRST, SECOND) if len(pictures) == 2 else (WHOLE,)
    for field, picture in zip(fields, pictures, strict=True):
        yield Shown(number, field, display_rgb(picture, info))


def _nvdec_frames(
    path: str, info: VideoInfo, index: FrameIndex, first: int, last: int
) -> Generator[Shown, None, int]:
    """As many as the GPU decodes; answers with the number of the first that it did not."""
    frames = decode_range(path, info, index, first, last, threads=1, decoder=gpu_decoder())
    try:
        for frame in frames:
            if frame.interlaced_frame:  # amid others; the CPU goes on from here
                break
            yield Shown(first, WHOLE, display_rgb(frame, info))
            first += 1
    except MediaError as error:  # the CPU says whether the file is at fault
        give_up(path, error)
    return first


def reader_note(path: str, info: VideoInfo, reader: Reader) -> str:
    """What a report says of a reader that another one stood in for; "" where none did."""
    why = why_not_nvdec(path, info) if reader == "nvdec" else None
    return f"read by av, not nvdec: {why}" if why else ""


class _Forward:
    """A decord reader of one file that only goes forward, proved to show the index's frames."""

    def __init__(self, path: str, info: VideoInfo, index: FrameIndex, *, threads: int) -> None:
        self._video = _open_with_decord(path, threads)
        self.next_frame = 0
        reason = why_not_decord(info, index, self._video)
        if reason:
            raise MediaError(f"{path}: decord cannot read this faithfully: {reason}; use av")

    def frames(self, first: int, last: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Frames from `first` on, which must not lie behind."""
        if first > self.next_frame:
            self._video.skip_frames(first - self.next_frame)
        for number in range(first, last + 1):
            picture = self._video.next().asnumpy()
            self.next_frame = number + 1
            yield number, picture


_idle: dict[tuple[str, int, int], _Forward] = {}
"""The reader this process used last, by path, size and time of change; at most one."""


def _decord_frames(
    path: str, info: VideoInfo, index: FrameIndex, first: int, last: int, *, threads: int
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    if not 0 <= first <= last < len(index):
        raise MediaError(
            f"{path}: asked for frames {first}–{last}; expected within 0–{len(index) - 1}"
        )
    status = Path(path).stat()
    key = (path, status.st_size, status.st_mtime_ns)
    video = _idle.pop(key, None)  # nobody else goes on with it meanwhile
    if video is None or video.next_frame > first:
        video = _Forward(path, info, index, threads=threads)
    yield from video.frames(first, last)
    _idle.clear()
    _idle[key] = video


def _decord() -> Any:
    try:
        import decord
    except ImportError:
        raise MediaError(
            "the reader 'decord' is not installed; pip install 'aureel[decord]', or use av"
        ) from None
    return decord


def _open_with_decord(path: str, threads: int) -> Any:
    decord = _decord()
    try:
        return decord.VideoReader(path, num_threads=threads)
    except (decord.DECORDError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise MediaError(f"{path}: decord cannot open it: {reason}; use av") from error


def _why_not_decord(info: VideoInfo) -> str | None:
    """Likewise, by what the headers say."""
    if view_of(info) is not None:
        return "it shows the code values of HDR and log footage as they are"
    if info.interlaced or info.shows_fields:
        return "its frames are fields, and it does not say which of them comes first"
    if info.is_mpegts:
        return "MPEG-TS (it repeats frames)"
    if info.rotation or info.mirrored or info.sar != 1:
        return "the picture is turned or its pixels are not square"
    if info.colour.matrix_assumed and info.colour.matrix not in BT601_LIKE:
        return "no colour matrix is tagged, and it would take bt601"
    return None


def why_not_decord(info: VideoInfo, index: FrameIndex, video: Any) -> str | None:
    """Why decord's frames would not be those of the index, or None where they are.

    Args:
        video: an opened `decord.VideoReader` of the same file.
    """
    if why := _why_not_decord(info):
        return why
    if len(video) != len(index):
        return f"it sees {len(video)} frames of {len(index)} (an edit list hides some)"
    starts_s = np.asarray(video.get_frame_timestamp(range(len(index))))[:, 0]
    expected_s = times_s(info, index)
    off_s = np.abs((starts_s - starts_s[0]) - (expected_s - expected_s[0])).max()
    if off_s > CLOCK_SLACK_S:
        return f"its times are up to {off_s * 1000:.1f} ms off"
    return None
