"""The editor that borrows: the rig's motion, and mouths from other frames of the same shot.

What opens shows what is really there: teeth and tongue as the same shot shows them in another
frame. Where the shot has no such frame it is dark, as in the preview, and the notes say so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.editors.checks import check_crops, check_settings
from engines.editors.plate.interior import lent_inside, skin_gain
from engines.editors.rig.draw import Image, Inside, draw_edit
from engines.editors.rig.face import FaceFrame
from engines.editors.rig.mouth import Lips
from engines.interface import AlignedCrops, EditedCrops, LentMouth
from keyframes.au import AUDelta

MIN_SIZE = 64
_SHUT, _OPEN = 0.03, 0.07
"""Inner lips apart: a mouth that is open already keeps its own inside; a donor's would ghost."""


class PlateEditor:
    """Moves a face by the rig; what shows in a mouth that opens is lent by the same shot.

    A crop whose delta is all 0 comes back as it is, under an empty mask.

    Args:
        size: side of the square crops, pixels, at least 64.
        batch: crops per call, at least 1.

    Raises:
        EngineError: settings out of range; in `edit`, crops of another size, a delta of another
            length, or landmarks no face can have in a crop that is to change.
    """

    def __init__(self, size: int = 512, batch: int = 1) -> None:
        check_settings("plate", size, batch, size_min=MIN_SIZE)
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
        check_crops("plate", crops, delta, self._size)
        edited = crops.images.copy()
        mask = np.zeros(crops.images.shape[:3], np.float32)
        notes: set[str] = set()
        for number in np.flatnonzero(delta.active):
            image, landmarks_px = crops.images[number], crops.landmarks_px[number]
            lent = crops.mouths[number] if crops.mouths is not None else None
            pose = None if crops.pose is None else crops.pose[number]
            opened = draw_edit(
                image,
                landmarks_px,
                pose,
                delta.values[number],
                edited[number],
                mask[number],
                _inside(image, landmarks_px, lent),
            )
            if opened:
                notes.add(_told(lent))
        return EditedCrops(edited, crops.images.copy(), mask, tuple(sorted(notes)))


def _told(lent: LentMouth | None) -> str:
    if lent is None:
        return "mouth painted dark: no frame of the shot lent its inside"
    return f"mouth lent by frame {lent.frame}"


def _inside(
    image: Image, landmarks_px: NDArray[np.float32], lent: LentMouth | None
) -> Inside | None:
    if lent is None:
        return None

    def shown(
        frame: FaceFrame, before: Lips, after: Lips, pixels: NDArray[np.float64]
    ) -> tuple[NDArray[Any], float] | None:
        openness = np.clip((float(before.gap.max()) - _SHUT) / (_OPEN - _SHUT), 0.0, 1.0)
        gain = skin_gain(image, landmarks_px, lent)
        return lent_inside(frame, after, pixels, lent, gain), lent.weight * float(1.0 - openness)

    return shown
