"""Pictures as the bytes of PNG and EXR files, by FFmpeg's own encoders.

They are at hand (no other library is needed), write what compositors read, and one packet is one
file. Samples stay what the plate's are: R'G'B' in the plate's own transfer, in EXR too; nobody's
scene-linear is guessed. PNG says primaries and transfer itself (cICP), the sidecar for both.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from pipeline.media.info import RGB_MATRIX, VideoInfo
from pipeline.media.planes import VideoFrame

FULL = 2
PNG_FORMATS = {(3, "uint8"): "rgb24", (3, "uint16"): "rgb48be", (4, "uint16"): "rgba64be"}
EXR_FORMATS = {3: "gbrpf32le", 4: "gbrapf32le"}
EXR_PLANES = (1, 2, 0, 3)
"""Channels of a picture in the order of the planes: G, B, R, A."""


class PictureEncoder:
    """Encodes pictures of one size.

    Args:
        half: EXR samples in 16 bits.
    """

    def __init__(self, kind: str, info: VideoInfo, *, half: bool = False) -> None:
        self._kind, self._info, self._half = kind, info, half
        self._options = {"format": "half" if half else "float", "compression": "zip16"}
        if kind == "png":
            self._options = {"pred": "mixed", "compression_level": "3"}
        self._context: VideoCodecContext | None = None
        self._count = 0

    def __call__(self, picture: NDArray[Any]) -> bytes:
        """A file's bytes.

        Args:
            picture: `(H, W, 3 or 4)`: uint8 or uint16 for PNG, float32 for EXR.
        """
        frame = self._frame(picture)
        if self._context is None:
            self._context = self._opened(frame)
        frame.pts, frame.time_base = self._count, Fraction(1, 25)
        self._count += 1
        return b"".join(bytes(packet) for packet in self._context.encode(frame))

    def _frame(self, picture: NDArray[Any]) -> VideoFrame:
        channels = picture.shape[2]
        if self._kind == "png":
            name = PNG_FORMATS[channels, str(picture.dtype)]
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=name)
        else:
            if self._half:
                picture = picture.astype(np.float16)  # rounded: FFmpeg cuts the last bits off
            frame = VideoFrame(picture.shape[1], picture.shape[0], EXR_FORMATS[channels])
            for plane, channel in zip(frame.planes, EXR_PLANES[:channels], strict=True):
                rows = np.frombuffer(memoryview(plane), np.float32).reshape(plane.height, -1)
                rows[:, : plane.width] = picture[..., channel]
        colour = self._info.colour
        frame.colorspace, frame.color_range = RGB_MATRIX, FULL
        frame.color_primaries, frame.color_trc = colour.primaries, colour.transfer
        return frame

    def _opened(self, frame: VideoFrame) -> VideoCodecContext:
        context: Any = av.CodecContext.create(self._kind, "w")
        context.width, context.height, context.pix_fmt = (
            frame.width, frame.height, frame.format.name,
        )  # fmt: skip
        context.time_base = Fraction(1, 25)
        context.sample_aspect_ratio = self._info.sar
        context.thread_count = 1  # more would hold pictures back
        context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
        context.color_range, context.colorspace = FULL, RGB_MATRIX
        context.options = self._options
        return context
