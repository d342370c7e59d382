"""Elements as frames for an encoder: layer and matte in the samples of a movie or a picture.

A matte's file holds R'G'B' and alpha. Alpha is the matte. A layer has both signs: integer samples
hold (layer + 1) / 2, so middle grey is no change and layer = 2 · RGB − 1; EXR holds it as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.media.colour import black_level, picture_rgb, samples_from_rgb
from pipeline.media.info import MATRIX_WEIGHTS, RGB_MATRIX, Colour, VideoInfo
from pipeline.media.planes import VideoFrame, all_plane_views, sample_layout
from pipeline.media.write.elements.element import Element
from pipeline.media.write.elements.layer import Array, Layer, Patch, layer_of

LIMITED, FULL = 1, 2
BT709 = 1
HALF_BITS = 10
"""Deepest plate whose code values half floats tell apart (11 bits of mantissa)."""


def matte_info(info: VideoInfo, kind: str) -> VideoInfo:
    """The plate as its matte's movie is to be: same size, clock, shape and turn; own samples."""
    if kind == "prores":
        matrix = info.colour.matrix if info.colour.matrix in MATRIX_WEIGHTS else BT709
        codec, profile, pix_fmt, bits = "prores", "4444", "yuva444p10le", 10
        colour = replace(
            info.colour, matrix=matrix, tagged_matrix=matrix, tagged_range=LIMITED, full_range=False
        )
    else:
        codec, profile, pix_fmt, bits = "ffv1", None, "gbrap16le", 16
        colour = replace(
            info.colour, matrix=RGB_MATRIX, tagged_matrix=RGB_MATRIX, tagged_range=FULL,
            full_range=True,
        )  # fmt: skip
    return replace(
        info, codec=codec, profile=profile, pix_fmt=pix_fmt, bit_depth=bits, colour=colour,
        hdr=(None, None), dolby_vision=None, field_order=1, chroma_place="unspecified",
        is_lossless=False, shows_fields=False, hides_alpha=False, bit_rate=0,
    )  # fmt: skip


@dataclass
class MatteMoviePainter:
    """Frames of a matte's movie, one for each of the plate's.

    Attributes:
        info: of `matte_info`.
    """

    info: VideoInfo

    def __post_init__(self) -> None:
        self._layout = sample_layout(self.info.pix_fmt)
        self._matrix = samples_from_rgb(self.info, self._layout)
        self._black = black_level(self.info, self._layout)

    def __call__(self, plate: VideoFrame, patches: Sequence[Patch]) -> VideoFrame:
        painted = VideoFrame(plate.width, plate.height, self.info.pix_fmt)
        layer = layer_of(patches, self._rounded)
        *views, alpha = all_plane_views(painted)
        for view, rest in zip(views, self._samples(np.zeros(3)), strict=True):
            view[...] = rest
        alpha[...] = 0
        if layer is not None:
            at = layer.rows, layer.columns
            samples = self._samples(layer.colour)
            for number, view in enumerate(views):
                view[at] = samples[..., number]
            alpha[at] = np.rint(layer.matte * self._layout.full_scale)
        _tag(painted, self.info.colour)
        painted.pts, painted.time_base = plate.pts, plate.time_base
        painted.duration = plate.duration
        return painted

    def _rounded(self, matte: Array) -> Array:
        scale = np.float32(self._layout.full_scale)
        return (np.rint(matte * scale) / scale).astype(np.float32)

    def _samples(self, colour: NDArray[Any]) -> NDArray[np.uint16]:
        """The layer's values as samples of the movie."""
        wide = (colour + 1) / 2 @ self._matrix.T + self._black
        return np.clip(np.rint(wide), 0, self._layout.full_scale).astype(np.uint16)


def _tag(frame: VideoFrame, colour: Colour) -> None:
    frame.colorspace, frame.color_range = colour.tagged_matrix, colour.tagged_range
    frame.color_primaries, frame.color_trc = colour.primaries, colour.transfer


def matte_picture(layer: Layer | None, size: tuple[int, int], kind: str) -> NDArray[Any]:
    """A matte as one picture.

    Args:
        size: the plate's width and height.
    Returns:
        `(H, W, 4)` R'G'B' and alpha: uint16 for PNG, middle grey where nothing changes; float32
        for EXR, 0 there.
    """
    picture = np.zeros((size[1], size[0], 4), np.float32)
    if layer is not None:
        picture[layer.rows, layer.columns] = np.dstack([layer.colour, layer.matte])
    if kind == "exr":
        return picture
    picture[..., :3] = (picture[..., :3] + 1) / 2
    return np.rint(picture * np.float32(65535)).astype(np.uint16)


def picture_of(
    element: Element, info: VideoInfo, frame: VideoFrame, patches: Sequence[Patch]
) -> NDArray[Any]:
    """What a picture of an element shows: `(H, W, 3)`, or `(H, W, 4)` with alpha."""
    if element.what == "matte":
        layer = layer_of(patches, _rounding(element.kind, info))
        return matte_picture(layer, (info.width, info.height), element.kind)
    shown = picture_rgb(frame, info)
    if element.kind == "exr":
        return shown
    scale, depth = (255, np.uint8) if info.bit_depth == 8 else (65535, np.uint16)
    return np.rint(np.clip(shown, 0, 1) * np.float32(scale)).astype(depth)


def is_half(kind: str, info: VideoInfo) -> bool:
    """Whether 16-bit floats hold a plate's code values."""
    return kind == "exr" and info.bit_depth <= HALF_BITS


def _rounding(kind: str, info: VideoInfo) -> Callable[[Array], Array]:
    """How a picture rounds a matte."""
    if is_half(kind, info):
        return lambda matte: matte.astype(np.float16).astype(np.float32)
    if kind == "exr":
        return lambda matte: matte
    return lambda matte: (np.rint(matte * np.float32(65535)) / 65535).astype(np.float32)
