"""Between a frame's own samples and RGB: matrices, and crops taken straight from the planes.

A crop samples every plane where it lies, chroma at its own sites, in 16 bits, and applies the
frame's matrix and range once: no conversion of the whole frame, no rounding to 8 bits on the way.

Source of the formulas: ITU-T H.273 §8.3 (equations 20–40, matrix coefficients and ranges).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.affine import compose, inverse
from pipeline.errors import MediaError
from pipeline.media.fields import Field, Picture, coded_height, lines_from_coded, picture_views
from pipeline.media.info import VideoInfo
from pipeline.media.planes import SampleLayout, VideoFrame, plane_views, sample_layout

CENTRED_CODECS = {"mjpeg"}
"""Codecs whose chroma lies in the middle of its luma samples where nobody says; the others' is
level with the left one (ITU-T H.264 annex E, chroma_sample_loc_type 0, the default)."""
FIELDS_CODED_ALONE = {"mjpeg", "dvvideo"}
"""Codecs whose chroma lies among the lines of its own field, not of the frame (IEC 61834-2)."""
ACROSS = {"center": 0.5, "top": 0.5, "bottom": 0.5}
DOWN = {"topleft": 0.0, "top": 0.0, "bottomleft": 1.0, "bottom": 1.0}
"""Where a chroma sample lies among its luma samples, 0 first to 1 last; left and middle else."""


def samples_from_rgb(info: VideoInfo, layout: SampleLayout) -> NDArray[Any]:
    """`(C, 3)` float64: R'G'B' of 0…1 → sample values, without their offset (`black_level`).

    Raises:
        MediaError: a matrix that is not linear.
    """
    if layout.is_rgb:
        return np.eye(3) * layout.full_scale
    kr, kb = info.colour.luma_weights()
    luma = np.array([kr, 1 - kr - kb, kb])
    blue = (np.array([0.0, 0.0, 1.0]) - luma) / (2 - 2 * kb)
    red = (np.array([1.0, 0.0, 0.0]) - luma) / (2 - 2 * kr)
    luma_range, chroma_range = float(layout.full_scale), float(layout.full_scale)
    if not info.colour.full_range:
        luma_range, chroma_range = 219.0 * 2 ** (layout.bits - 8), 224.0 * 2 ** (layout.bits - 8)
    rows = [luma * luma_range, blue * chroma_range, red * chroma_range]
    return np.array(rows[: len(layout.planes)])


def black_level(info: VideoInfo, layout: SampleLayout) -> NDArray[Any]:
    """`(C,)` float64 sample values of black."""
    if layout.is_rgb:
        return np.zeros(3)
    luma = 0.0 if info.colour.full_range else 16.0 * 2 ** (layout.bits - 8)
    chroma = 128.0 * 2 ** (layout.bits - 8)
    return np.array([luma, chroma, chroma][: len(layout.planes)])


def rgb_from_samples(info: VideoInfo, layout: SampleLayout) -> NDArray[Any]:
    """`(3, C + 1)`: sample values → R'G'B' of 0…1; the last column holds the offsets."""
    forward = samples_from_rgb(info, layout)
    back = np.linalg.inv(forward) if len(forward) == 3 else np.ones((3, 1)) / forward.sum()
    return np.column_stack([back, -back @ black_level(info, layout)])


def chroma_from_coded(info: VideoInfo, layout: SampleLayout) -> NDArray[np.float64]:
    """`(2, 3)`: luma pixel centres → chroma sample positions."""
    place = info.chroma_place
    if place == "unspecified" and info.codec in CENTRED_CODECS:
        place = "center"
    offset_x = ACROSS.get(place, 0.0) * (1 - layout.step_x) / layout.step_x
    offset_y = DOWN.get(place, 0.5) * (1 - layout.step_y) / layout.step_y
    return np.array([[1 / layout.step_x, 0, offset_x], [0, 1 / layout.step_y, offset_y]])


def chroma_from_picture(
    picture: Picture, info: VideoInfo, layout: SampleLayout
) -> NDArray[np.float64]:
    """`(2, 3)`: a picture's luma pixel centres → its chroma sample positions.

    Where chroma lies is said of a frame, so in its fields it lies elsewhere among the lines: in the
    middle of a frame's lines is a quarter from the top field's upper one, three from the other's.
    """
    within = chroma_from_coded(info, layout)
    if not isinstance(picture, Field) or info.codec in FIELDS_CODED_ALONE:
        return within
    lines = lines_from_coded(picture)
    return compose(lines, compose(within, inverse(lines)))


BORDERS = {
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT_101,
    "black": cv2.BORDER_REPLICATE,
}
"""What a crop shows beyond the frame's edge → how planes go on there; black is laid over it."""


def crop_rgb(
    frame: Picture,
    info: VideoInfo,
    coded_from_crop: NDArray[np.float64],
    size: int,
    border: str = "black",
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A square crop in RGB, full range.

    Args:
        frame: a frame, or one of its fields: then only that field's lines are looked at.
        coded_from_crop: `(2, 3)`, crop pixel centres → coded pixel centres of the whole frame.
        size: side of the crop, pixels.
        border: a key of `BORDERS`: what is shown outside the frame.
    Returns:
        `(size, size, 3)` uint8 for 8-bit footage; uint16 on the scale 0…65535 for deeper footage.
    Raises:
        MediaError: a pixel format or matrix that cannot be edited; a degenerate affine.
    """
    layout = sample_layout(frame.format.name)
    affine = _checked(coded_from_crop)
    luma = compose(lines_from_coded(frame), affine)
    chroma = compose(chroma_from_picture(frame, info, layout), luma)
    planes = [
        _warp_plane(
            view,
            luma if number == 0 or layout.is_rgb else chroma,
            (size, size),
            layout.bits,
            BORDERS[border],
        )
        for number, view in enumerate(picture_views(frame))
    ]
    # All in 16-bit integers: exact enough for 12-bit footage, and twice as fast as floats.
    matrix = rgb_from_samples(info, layout) * 65535.0
    matrix[:, :-1] /= 2 ** (16 - layout.bits)
    crop: NDArray[Any] = cv2.transform(cv2.merge(planes), matrix.astype(np.float32))
    if layout.bits == 8:
        crop = cv2.convertScaleAbs(crop, alpha=1 / 257)
    if border == "black":
        _blacken_outside(crop, affine, (frame.width, coded_height(frame)))
    return crop


def _checked(coded_from_crop: NDArray[np.float64]) -> NDArray[np.float64]:
    affine = np.asarray(coded_from_crop, np.float64)
    if affine.shape != (2, 3) or not np.isfinite(affine).all():
        raise MediaError(f"crop: got an affine of shape {affine.shape}; expected finite (2, 3)")
    if abs(np.linalg.det(affine[:, :2])) < 1e-6:
        raise MediaError(f"crop: the affine {affine.tolist()} maps the crop onto no area")
    return affine


def picture_rgb(frame: VideoFrame, info: VideoInfo) -> NDArray[np.float32]:
    """A whole frame in R'G'B', as its own matrix and range say.

    Returns:
        `(H, W, 3)` float32, 0…1 from black to white; samples beyond the nominal range lie beyond.
    Raises:
        MediaError: a pixel format or matrix that cannot be edited.
    """
    layout = sample_layout(frame.format.name)
    luma, chroma = np.eye(2, 3), chroma_from_coded(info, layout)
    planes = [
        _warp_plane(
            view,
            luma if number == 0 or layout.is_rgb else chroma,
            (frame.width, frame.height),
            layout.bits,
            cv2.BORDER_REPLICATE,
        )
        for number, view in enumerate(plane_views(frame))
    ]
    matrix = rgb_from_samples(info, layout)
    matrix[:, :-1] /= 2 ** (16 - layout.bits)
    samples = cv2.merge([p.astype(np.float32) for p in planes])
    return np.asarray(cv2.transform(samples, matrix), np.float32)


def _warp_plane(
    view: NDArray[Any],
    plane_from_crop: NDArray[np.float64],
    size: tuple[int, int],
    bits: int,
    border: int,
) -> NDArray[Any]:
    """A plane under the crop: `(h, w)` uint16 of width and height, shifted up to 16 bits."""
    height, width = view.shape
    w, h = size
    corners = np.array([[0, 0, 1], [w, 0, 1], [0, h, 1], [w, h, 1]], np.float64)
    reached = corners @ plane_from_crop.T
    shrink = shrink_factors(plane_from_crop)
    margin = 2 * max(shrink)
    low = np.clip(np.floor(reached.min(axis=0)).astype(int) - margin, 0, [width - 1, height - 1])
    high = np.clip(np.ceil(reached.max(axis=0)).astype(int) + margin, low + 1, [width, height])
    part: NDArray[Any] = view[low[1] : high[1], low[0] : high[0]].astype(np.uint16)
    part <<= 16 - bits
    part, part_from_plane = shrink_by_area(part, shrink, low)
    return cv2.warpAffine(
        part,
        compose(part_from_plane, plane_from_crop),
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=border,
    )


def shrink_factors(source_from_target: NDArray[np.float64]) -> tuple[int, int]:
    """By how many source pixels in x and y a warp that minifies must average first; 1 = none."""
    across = np.abs(source_from_target[:, :2]).max(axis=1)
    factor_x, factor_y = (max(1, int(value + 0.5)) for value in across)
    return factor_x, factor_y


def shrink_by_area(
    part: NDArray[Any],
    factors: tuple[int, int],
    origin: NDArray[np.int64],
    border: int = cv2.BORDER_REPLICATE,
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Average blocks of `factors` pixels, and the `(2, 3)` affine source → averaged part.

    The part is padded up to a whole number of blocks as OpenCV's `border` says.
    """
    factor_x, factor_y = factors
    if factors != (1, 1):
        height, width = part.shape[:2]
        odd = 0, -height % factor_y, 0, -width % factor_x
        part = cv2.copyMakeBorder(part, *odd, border)
        target = (part.shape[1] // factor_x, part.shape[0] // factor_y)
        part = cv2.resize(part, target, interpolation=cv2.INTER_AREA)
    affine = np.array(
        [
            [1 / factor_x, 0, (0.5 - origin[0]) / factor_x - 0.5],
            [0, 1 / factor_y, (0.5 - origin[1]) / factor_y - 0.5],
        ]
    )
    return part, affine


def _blacken_outside(
    crop: NDArray[Any], coded_from_crop: NDArray[np.float64], frame_size: tuple[int, int]
) -> None:
    size = crop.shape[0]
    corners = np.array([[0, 0, 1], [size - 1, 0, 1], [0, size - 1, 1], [size - 1] * 2 + [1]])
    reached = corners @ coded_from_crop.T
    if (reached >= -0.5).all() and (reached <= np.array(frame_size) - 0.5).all():
        return
    steps = np.arange(size)
    for axis, length in enumerate(frame_size):
        across, down, start = coded_from_crop[axis]
        if across and down:
            position = across * steps[None, :] + down * steps[:, None] + start
            crop[_outside(position, length)] = 0
        elif across:  # whole columns, whole rows: no crop of ours is turned by less than 90°
            crop[:, _outside(across * steps + start, length)] = 0
        else:
            crop[_outside(down * steps + start, length)] = 0


def _outside(position: NDArray[np.float64], length: int) -> NDArray[np.bool_]:
    return (position < -0.5) | (position > length - 0.5)
