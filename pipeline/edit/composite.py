"""Pasting an edit back: only the difference is added, in the frame's own samples.

`out = frame + warp⁻¹(mask · (edited − reference))`. The picture itself is never converted: the RGB
difference is turned into a difference of samples by the frame's own matrix and range, averaged
over the luma samples each chroma sample covers, rounded and added. Where the mask is below
`MASK_FLOOR` nothing is added, so those samples stay bit-identical in every plane; a difference of
zero changes nothing at all.

A field of a frame is a picture like any other (pipeline/media/fields.py): the difference is sampled
on its own lines, and added to nothing else.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.affine import compose, inverse
from pipeline.errors import PipelineError
from pipeline.media.colour import (
    chroma_from_picture,
    samples_from_rgb,
    shrink_by_area,
    shrink_factors,
)
from pipeline.media.fields import Field, Picture, lines_from_coded, picture_views
from pipeline.media.info import VideoInfo
from pipeline.media.planes import SampleLayout, sample_layout
from pipeline.media.write.elements.layer import Patch

MASK_FLOOR = 1 / 512


def paste_residual(
    frame: Picture,
    info: VideoInfo,
    residual: NDArray[np.float32],
    mask: NDArray[np.float32],
    coded_from_crop: NDArray[np.float64],
) -> Patch | None:
    """Add `mask · residual` to a frame or one field of it, in place; its buffers become its own.

    A luma sample can change only where the mask, interpolated linearly at its centre, is at least
    `MASK_FLOOR`; a chroma sample only where one of the luma samples it covers can.

    Args:
        residual: `(S, S, 3)` float32 RGB, edited − reference, full scale = 1.0.
        mask: `(S, S)` float32, 0…1.
        coded_from_crop: `(2, 3)`, crop pixel centres → coded pixel centres, as given to crop_rgb.
    Returns:
        what was added, before it was rounded to samples; None where the mask misses the frame.
    Raises:
        PipelineError: shapes that don't fit, a residual or mask that is not finite.
        MediaError: a pixel format or colour matrix that cannot be edited.
    """
    layout = sample_layout(frame.format.name)
    matrix = samples_from_rgb(info, layout)
    _check_shapes(residual, mask)
    box = _mask_box(mask)
    if box is None:
        return None
    lines = lines_from_coded(frame)
    size = frame.width, frame.height
    target = _target_rectangle(box, compose(lines, coded_from_crop), layout, size)
    if target is None:
        return None
    delta, where = _warped(residual, mask, box, coded_from_crop, inverse(lines), target)
    inside = (where >= MASK_FLOOR).view(np.uint8)
    samples = cv2.transform(delta, matrix)
    frame.make_writable()
    views = _Views(picture_views(frame), layout, _chroma_down(frame, info, layout))
    _add(views, samples.reshape(*inside.shape, -1), inside, target)
    weight = np.multiply(where, inside, dtype=np.float32)
    return _in_frame(frame, Patch(target[0], target[1], delta, weight))


class _Views(NamedTuple):
    """A picture's samples; `down`: how far below the upper of its two lines chroma lies, 0…1."""

    planes: list[NDArray[Any]]
    layout: SampleLayout
    down: float


def _chroma_down(picture: Picture, info: VideoInfo, layout: SampleLayout) -> float:
    """Of a frame the mean of both lines is taken, wherever its chroma lies."""
    if not isinstance(picture, Field) or layout.step_y != 2:
        return 0.5
    return float(-2 * chroma_from_picture(picture, info, layout)[1, 2])


def _in_frame(picture: Picture, patch: Patch) -> Patch:
    """The patch with the lines of the other field between, where nothing was added."""
    if not isinstance(picture, Field):
        return patch
    lines, width = patch.weight.shape
    change = np.zeros((2 * lines - 1, width, 3), np.float32)
    weight = np.zeros(change.shape[:2], np.float32)
    change[::2], weight[::2] = patch.change, patch.weight
    return Patch(patch.x, 2 * patch.y + picture.parity, change, weight)


Rectangle = tuple[int, int, int, int]
"""x0, y0, x1, y1; the ends are outside."""


def _check_shapes(residual: NDArray[np.float32], mask: NDArray[np.float32]) -> None:
    size = mask.shape[0]
    if mask.shape != (size, size) or residual.shape != (size, size, 3):
        raise PipelineError(
            f"paste: got a residual {residual.shape} and a mask {mask.shape}; "
            "expected (S, S, 3) and (S, S)"
        )
    if residual.dtype != np.float32 or mask.dtype != np.float32:
        raise PipelineError(f"paste: got {residual.dtype} and {mask.dtype}; expected float32")


def _mask_box(mask: NDArray[np.float32]) -> Rectangle | None:
    """The crop rectangle outside which the mask is below its floor."""
    x, y, width, height = cv2.boundingRect((mask >= MASK_FLOOR).view(np.uint8))
    return (x, y, x + width, y + height) if width else None


def _target_rectangle(
    box: Rectangle,
    coded_from_crop: NDArray[np.float64],
    layout: SampleLayout,
    frame_size: tuple[int, int],
) -> Rectangle | None:
    """The frame rectangle the mask's box can reach, in whole chroma samples, within the frame."""
    x0, y0, x1, y1 = box[0] - 1, box[1] - 1, box[2], box[3]  # a linear filter reaches one further
    corners = np.array([[x0, y0, 1], [x1, y0, 1], [x0, y1, 1], [x1, y1, 1]], np.float64)
    reached = corners @ coded_from_crop.T
    step = np.array([layout.step_x, layout.step_y])
    low = np.maximum(np.floor(reached.min(axis=0) / step) * step, 0).astype(int)
    high = np.ceil((reached.max(axis=0) + 1) / step).astype(int) * step
    high = np.minimum(high, frame_size)
    if (high <= low).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _warped(
    residual: NDArray[Any],
    mask: NDArray[Any],
    box: Rectangle,
    coded_from_crop: NDArray[np.float64],
    coded_from_lines: NDArray[np.float64],
    target: Rectangle,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """mask · residual in the target rectangle, and the mask there.

    What is averaged is a pixel of the frame, also for a field: its lines are samples of a picture
    of all lines, as they were when the crop was made of them.
    """
    to_crop = inverse(coded_from_crop)
    from_target = np.array([[1.0, 0.0, target[0]], [0.0, 1.0, target[1]]])
    crop_from_target = compose(to_crop, compose(coded_from_lines, from_target))
    size = target[2] - target[0], target[3] - target[1]
    factors = shrink_factors(to_crop)
    # Wider than the mask, so that the area filter sees the zeros around it.
    low = np.maximum(np.array(box[:2]) - factors, 0)
    high = np.minimum(np.array(box[2:]) + factors, mask.shape)
    shown = slice(low[1], high[1]), slice(low[0], high[0])
    weight = cv2.threshold(mask[shown], np.nextafter(np.float32(MASK_FLOOR), 0), 0, 3)[1]
    product = cv2.multiply(residual[shown], cv2.merge([weight] * 3))
    part, part_from_crop = shrink_by_area(product, factors, low, cv2.BORDER_CONSTANT)
    linear = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    delta = cv2.warpAffine(part, compose(part_from_crop, crop_from_target), size, flags=linear)
    box_from_crop = np.array([[1.0, 0.0, -low[0]], [0.0, 1.0, -low[1]]])
    where = cv2.warpAffine(weight, compose(box_from_crop, crop_from_target), size, flags=linear)
    if not np.isfinite(cv2.sumElems(delta)).all() or not np.isfinite(cv2.sumElems(where)).all():
        raise PipelineError("paste: the residual or the mask is not finite (NaN or infinity)")
    return delta, where


def _add(views: _Views, samples: NDArray[Any], inside: NDArray[Any], target: Rectangle) -> None:
    x0, y0, x1, y1 = target
    layout = views.layout
    components = cv2.split(samples)
    for number, view in enumerate(views.planes):
        step_x, step_y = layout.step_x, layout.step_y
        if number == 0 or layout.is_rgb or (step_x, step_y) == (1, 1):
            _add_plane(view[y0:y1, x0:x1], components[number], inside, layout)
            continue
        change, may_change = _per_chroma(components[number], inside, layout, views.down)
        part = view[y0 // step_y : -(-y1 // step_y), x0 // step_x : -(-x1 // step_x)]
        lines = len(part)  # a bottom field may lack the last
        _add_plane(part, change[:lines], may_change[:lines], layout)


def _per_chroma(
    change: NDArray[Any], inside: NDArray[Any], layout: SampleLayout, down: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Means over the luma samples each chroma sample covers; odd frame sizes repeat the last."""
    height, width = change.shape
    odd_y, odd_x = -height % layout.step_y, -width % layout.step_x
    if odd_x or odd_y:
        change = cv2.copyMakeBorder(change, 0, odd_y, 0, odd_x, cv2.BORDER_REPLICATE)
        inside = cv2.copyMakeBorder(inside, 0, odd_y, 0, odd_x, cv2.BORDER_REPLICATE)
    size = change.shape[1] // layout.step_x, change.shape[0] // layout.step_y
    share = cv2.resize(inside * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    if down != 0.5:
        change = cv2.addWeighted(change[::2], 1 - down, change[1::2], down, 0)
    mean = cv2.resize(change, size, interpolation=cv2.INTER_AREA)
    return mean, (share > 0).view(np.uint8)


def _add_plane(
    part: NDArray[Any],
    change: NDArray[Any],
    may_change: NDArray[Any],
    layout: SampleLayout,
) -> None:
    rounded = cv2.multiply(np.rint(change), may_change, dtype=cv2.CV_32F)
    depth = cv2.CV_8U if layout.bits == 8 else cv2.CV_16U
    total = cv2.add(part, rounded, dtype=depth)
    if layout.bits not in (8, 16):
        total = np.minimum(total, layout.full_scale)
    part[...] = total
