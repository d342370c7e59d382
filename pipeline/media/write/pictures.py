"""A plain H.264 clip out of RGB pictures, with or without sound, and one picture as a clip.

Deliveries go another way (encode.py): they mirror their source.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.files import published

_BT709, _LIMITED = 1, 1


def write_still(path: Path, picture: NDArray[np.uint8]) -> Path:
    """A picture as a clip of one frame, bit for bit: FFV1 in RGB, Matroska; replaces `path`.

    What cuts, edits and pastes footage then takes a photograph as it takes a frame.

    Args:
        picture: `(H, W, 3)` uint8 RGB, full range.
    """
    second = Fraction(1)
    with published(path) as partial, av.open(str(partial), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=second, options={"slices": "4"})
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "bgr0"
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
        frame.pts, frame.time_base = 0, second
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class PictureWriter:
    """Writes an MP4 that streams: bt709, limited range, yuv420p; AAC where there is sound.

    The same pictures and sound give the same bytes.

    Args:
        path: written in place; publish it yourself.
        size: width and height, even, pixels.
        time_base: of the pictures' times.
        rate: frames per second as told to the encoder.
        sound_rate_hz: samples per second of mono sound, or None for none.
        crf: x264's quality; less is better.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction,
        sound_rate_hz: int | None = None,
        *,
        crf: int = 18,
    ) -> None:
        options = {"movflags": "+faststart"}
        self._container = av.open(str(path), "w", format="mp4", options=options)
        self._time_base = time_base
        self._video = self._video_stream(size, rate, crf)
        self._audio = None if sound_rate_hz is None else self._audio_stream(sound_rate_hz)

    def _video_stream(self, size: tuple[int, int], rate: Fraction, crf: int) -> VideoStream:
        """x264 with a fixed number of threads: its bytes depend on that number."""
        options = {"crf": str(crf), "preset": "veryfast", "threads": "2"}
        stream = self._container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = self._time_base
        context: Any = stream.codec_context
        context.time_base = self._time_base
        context.gop_size = 50
        context.color_range = _LIMITED
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        return stream

    def _audio_stream(self, rate_hz: int) -> AudioStream:
        stream = self._container.add_stream("aac", rate=rate_hz)
        stream.bit_rate = 96000
        stream.layout = "mono"
        return stream

    def show(self, picture: NDArray[np.uint8], pts: int) -> None:
        """The next picture, `(H, W, 3)` uint8 RGB of the writer's size, at its time."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv420p",
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BICUBIC,
        )
        frame.pts, frame.time_base = pts, self._time_base
        self._container.mux(self._video.encode(frame))

    def sound(self, block: NDArray[np.float32], first_sample: int) -> None:
        """The next samples, `(n,)` −1…1; `first_sample` counts from the start."""
        if self._audio is None:
            return
        frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = self._audio.rate, first_sample
        frame.time_base = Fraction(1, self._audio.rate)
        self._container.mux(self._audio.encode(frame))

    def __enter__(self) -> PictureWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is None:
            for stream in (self._video, self._audio):
                if stream is not None:
                    self._container.mux(stream.encode(None))
        self._container.close()
