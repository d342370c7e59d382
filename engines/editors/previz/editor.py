"""The preview editor: a warp of the crop on a CPU that shows timing and direction of all 12 AUs.

A preview, not a result: it has no wrinkles, no teeth and no skin of its own.
"""

from __future__ import annotations

import numpy as np

from engines.editors.checks import check_crops, check_settings
from engines.editors.rig.draw import draw_edit
from engines.interface import AlignedCrops, EditedCrops
from keyframes.au import AUDelta

MIN_SIZE = 64


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
            draw_edit(
                crops.images[number],
                crops.landmarks_px[number],
                None if crops.pose is None else crops.pose[number],
                delta.values[number],
                edited[number],
                mask[number],
            )
        return EditedCrops(edited=edited, reference=crops.images.copy(), mask=mask)
