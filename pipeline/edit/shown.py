"""Between a frame's samples and an editor: the crop it is shown, and its edit back into them."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from pipeline.edit.batcher import CropEdit
from pipeline.edit.composite import paste_residual
from pipeline.edit.detail import carry_detail
from pipeline.media.colour import crop_rgb
from pipeline.media.fields import Picture
from pipeline.media.info import VideoInfo
from pipeline.media.views.choice import view_of
from pipeline.media.write.elements.layer import Patch


def shown(info: VideoInfo, code: NDArray[Any]) -> NDArray[Any]:
    """A crop of code values as engines see it: a display picture, however the plate is coded."""
    view = view_of(info)
    return code if view is None else view.shown(code)


def paste_edit(
    frame: Picture,
    info: VideoInfo,
    edit: CropEdit,
    coded_from_crop: NDArray[Any],
    code: NDArray[Any] | None = None,
    *,
    border: str = "replicate",
) -> list[Patch]:
    """Adds an edit to a frame, in place, in its own samples; what was added.

    Args:
        code: the crop of code values that `shown` was given; None: as the frame is now.
    """
    view, residual = view_of(info), edit.residual
    if view is not None:
        if code is None:
            code = crop_rgb(frame, info, coded_from_crop, len(edit.mask), border)
        residual = view.coded(code, residual)
    patches: list[Patch | None] = []
    if residual.any():
        parts = edit.reference, edit.edited, edit.full_scale, edit.mask
        patches.append(carry_detail(frame, info, *parts, coded_from_crop, border))
    patches.append(paste_residual(frame, info, residual, edit.mask, coded_from_crop))
    return [patch for patch in patches if patch is not None]
