"""The preview editor: a warp of the crop on a CPU that shows timing and direction of all 12 AUs.

A preview, not a result: it has no wrinkles, no teeth and no skin of its own.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.checks import check_crops, check_settings
from engines.editors.rig.face import control_points, displacements, face_frame, torn_lips
from engines.editors.rig.map import draw_map
from engines.editors.rig.mouth import MouthWarp, dark_colour, lips_box_px, open_mouth
from engines.editors.rig.warp import fit_warp
from engines.interface import AlignedCrops, EditedCrops
from keyframes.au import AUDelta

MIN_SIZE = 64
_Image = NDArray[np.uint8] | NDArray[np.uint16]


class PrevizEditor:
    """Moves a face's points by a thin-plate spline; engines/editors/rig/ has what moves where.

    A crop whose delta is all 0 comes back as it is, under an empty mask.

    Args:
        size: side of the square crops, pixels, at least 64.
        batch: crops per call, at least 1.

    Raises:
        EngineError: settings out of range; in `edit`, crops of another size, a delta of another
            length, or landmarks no face can have in a crop that is to change.
    """

    def __init__(self, size: int = 512, batch: int = 1) -> None:
        check_settings("previz", size, batch, size_min=MIN_SIZE)
        self._size = size
        self._batch = batch

    @property
    def crop_size(self) -> int:
        return self._size

    @property
    def batch_size(self) -> int:
        return self._batch

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:  # noqa: ARG002
        """As the Protocol says; the reference is the crop, and the seed changes nothing."""
        check_crops("previz", crops, delta, self._size)
        edited = crops.images.copy()
        mask = np.zeros(crops.images.shape[:3], np.float32)
        for number in np.flatnonzero(delta.active):
            _edit_one(
                crops.images[number],
                crops.landmarks_px[number],
                None if crops.pose is None else crops.pose[number],
                delta.values[number],
                edited[number],
                mask[number],
            )
        return EditedCrops(edited=edited, reference=crops.images.copy(), mask=mask)


def _edit_one(
    image: _Image,
    landmarks_px: NDArray[np.float32],
    pose: NDArray[np.float32] | None,
    delta: NDArray[np.float32],
    edited: _Image,
    mask: NDArray[np.float32],
) -> None:
    """Draws one edited crop and its mask into `edited` and `mask`, where anything moves."""
    frame = face_frame(landmarks_px, pose)
    points = control_points(frame, landmarks_px)
    moved = displacements(frame, points, delta, len(image))
    torn = torn_lips(points, moved)
    drawn = draw_map(fit_warp(frame, torn, moved, len(image)))
    if drawn is None:
        return
    after = points + moved
    lips = drawn.part(lips_box_px(frame, after))
    pixels = drawn.pixels(lips)
    mouth = open_mouth(frame, points, torn, after, pixels, drawn.from_px[lips])
    drawn.from_px[lips] = mouth.from_px
    nothing: Any = None  # the map's second half lies in its first; OpenCV's stubs forget that
    edited[drawn.window] = cv2.remap(
        image, drawn.from_px, nothing, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    if mouth.darkness.any():
        _darken(edited[drawn.window][lips], mouth, dark_colour(frame, points, image))
    mask[drawn.window] = drawn.mask


def _darken(lips: _Image, mouth: MouthWarp, colour: NDArray[np.float32]) -> None:
    paint = mouth.shade[..., None] * colour
    lips[:] = np.rint(lips + mouth.darkness[..., None] * (paint - lips)).astype(lips.dtype)
