"""Detail finer than an editor's crop: it goes along with what the editor moves.

What is pasted of a coarse crop moves what the crop shows; the plate's finer detail would stay where
it was, an old seam under a new mouth. Here it is carried along by the optical flow from the
unedited crop to the edited one, and fades where that is unsure or something new appears.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import affine
from pipeline.edit.composite import paste_residual
from pipeline.media.colour import crop_rgb
from pipeline.media.fields import Picture
from pipeline.media.info import VideoInfo
from pipeline.media.write.elements.layer import Patch

COARSE_FROM = 1.15
"""Plate pixels per crop pixel; below there is no detail to speak of that the crop has not."""
_STILL_PX = 0.25
_SURE_PX = (1.0, 3.0)
_ALIKE = (0.1, 0.2)
_SMOOTH = 3.0
_NEXT_TO_NONE, _WEIGHT_MIN = 1e-6, 1 / 64
_Image = NDArray[Any]


def carry_detail(
    frame: Picture,
    info: VideoInfo,
    reference: _Image,
    edited: _Image,
    full_scale: float,
    mask: NDArray[np.float32],
    coded_from_crop: NDArray[np.float64],
    border: str,
) -> Patch | None:
    """Moves a frame's fine detail as an edit moves its crop, in place; before the edit is pasted.

    Args:
        reference, edited: `(S, S, 3)` the crop before and after, as the editor gives them.
        full_scale: white's value in them.
        mask: `(S, S)` float32 0…1, where the edit counts.
        coded_from_crop: `(2, 3)`.

    Returns:
        What was added, with next to no weight: the edit's own patch says where it counts.
    """
    coarse = float(np.sqrt(abs(np.linalg.det(coded_from_crop[:, :2]))))
    if coarse < COARSE_FROM or not mask.any():
        return None
    flow, sure = _flow(_grey(reference, full_scale), _grey(edited, full_scale))
    x, y, width, height = cv2.boundingRect((mask > 0.0).view(np.uint8))
    corners = np.array([[x, y], [x + width, y], [x, y + height], [x + width, y + height]])
    reached = affine.apply(coded_from_crop, corners.astype(np.float64))
    low, high = np.floor(reached.min(axis=0)) - 2, np.ceil(reached.max(axis=0)) + 2
    side = int((high - low).max())
    coded_from_native = np.column_stack([np.eye(2), low])
    crop_from_native = affine.compose(affine.inverse(coded_from_crop), coded_from_native)
    native = crop_rgb(frame, info, coded_from_native, side, border)
    most = float(np.iinfo(native.dtype).max)
    plate = native.astype(np.float32) / np.float32(most)
    seen = crop_rgb(frame, info, coded_from_crop, len(mask), border).astype(np.float32)
    fine = plate - _under(seen / np.float32(most), crop_from_native, side)
    matrix = affine.inverse(crop_from_native)[:, :2]
    far = _under(flow, crop_from_native, side) @ matrix.T.astype(np.float32)
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    nothing: Any = None
    come_from = np.stack([columns, rows], axis=-1) + far
    carried = cv2.remap(fine, come_from, nothing, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    still = np.hypot(far[..., 0], far[..., 1]) < _STILL_PX * coarse
    trust = _under(sure, crop_from_native, side)
    change = trust[..., None] * carried - fine
    # What did not move keeps its detail, lighter or darker, unless another thing has come there.
    change[still] = (np.minimum(2.0 * trust[still], 1.0) - 1.0)[..., None] * fine[still]
    weight = _under(mask, crop_from_native, side)
    weight[weight < _WEIGHT_MIN] = 0.0  # within what the edit itself covers
    patch = paste_residual(frame, info, change.astype(np.float32), weight, coded_from_native)
    return patch and replace(patch, weight=patch.weight * np.float32(_NEXT_TO_NONE))


def _under(values: _Image, crop_from_native: NDArray[np.float64], side: int) -> _Image:
    """A picture of the crop at the plate's pixels."""
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        values, crop_from_native, (side, side), flags=how, borderMode=cv2.BORDER_REPLICATE
    )


def _grey(image: _Image, full_scale: float) -> NDArray[np.uint8]:
    scaled = np.clip(image.astype(np.float32) * np.float32(255 / full_scale), 0, 255)
    return np.asarray(cv2.cvtColor(np.rint(scaled).astype(np.uint8), cv2.COLOR_RGB2GRAY), np.uint8)


def _flow(
    reference: NDArray[np.uint8], edited: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`(S, S, 2)` from where in the reference each pixel of the edit comes, and `(S, S)` how sure.

    Source: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016 (OpenCV's).
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    nothing: Any = None
    back = np.asarray(search.calc(edited, reference, nothing), np.float32)
    forth = np.asarray(search.calc(reference, edited, nothing), np.float32)
    rows, columns = np.mgrid[: len(edited), : len(edited)].astype(np.float32)
    there = np.stack([columns, rows], axis=-1) + back
    again = cv2.remap(forth, there, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    astray = np.linalg.norm(back + again, axis=-1)
    shown = cv2.remap(reference, there, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    unlike = cv2.blur(np.abs(shown.astype(np.float32) - edited), (5, 5)) / 255
    sure = _falling(astray, *_SURE_PX) * _falling(unlike, *_ALIKE)
    smooth = cv2.GaussianBlur(back, (0, 0), _SMOOTH)
    return np.asarray(smooth, np.float32), np.asarray(cv2.blur(sure, (5, 5)), np.float32)


def _falling(value: _Image, start: float, end: float) -> NDArray[np.float32]:
    return np.clip((end - value) / (end - start), 0.0, 1.0).astype(np.float32)
