"""What the editors that the rig moves have in common: crops in, each drawn, edited crops out."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engines.editors.checks import check_crops, check_settings
from engines.editors.rig.draw import Inside, Over, draw_edit
from engines.interface import AlignedCrops, EditedCrops
from keyframes.au import AUDelta

MIN_SIZE = 64


class RigEditor:
    """Moves a face's points by a thin-plate spline and shuts its eyes.

    A crop whose delta is all 0 comes back as it is, under an empty mask.

    Args:
        size: least side of the square crops, pixels, at least 64; larger ones are taken as well.
        batch: crops per call, at least 1.

    Raises:
        EngineError: settings out of range; in `edit`, smaller crops, a delta of another
            length, or landmarks no face can have in a crop that is to change.
    """

    any_size: ClassVar[bool] = True
    name: ClassVar[str]
    """As the registry has it, for messages."""

    def __init__(self, size: int = 512, batch: int = 1) -> None:
        check_settings(self.name, size, batch, size_min=MIN_SIZE)
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
        check_crops(self.name, crops, delta, max(self._size, crops.images.shape[1]))
        edited = crops.images.copy()
        mask = np.zeros(crops.images.shape[:3], np.float32)
        notes: set[str] = set()
        for number in np.flatnonzero(delta.active).tolist():
            painted = draw_edit(
                crops.images[number],
                crops.landmarks_px[number],
                None if crops.pose is None else crops.pose[number],
                delta.values[number],
                edited[number],
                mask[number],
                self.inside(crops, number),
                delta.lids[number],
                self.over(crops, delta, number),
                self.field(crops, number),
            )
            notes.update(self.told(crops, number) if painted else ())
        return EditedCrops(edited, crops.images.copy(), mask, tuple(sorted(notes)))

    def inside(self, crops: AlignedCrops, number: int) -> Inside | None:  # noqa: ARG002
        """What shows in a mouth that opens; None = it is painted."""
        return None

    def over(self, crops: AlignedCrops, delta: AUDelta, number: int) -> Over | None:  # noqa: ARG002
        """What is drawn over a face that is done; None = nothing."""
        return None

    def field(self, crops: AlignedCrops, number: int) -> NDArray[np.float64] | None:  # noqa: ARG002
        """`(14, P, 3)` the units of the person in a crop; None = the rig's."""
        return None

    def told(self, crops: AlignedCrops, number: int) -> tuple[str, ...]:  # noqa: ARG002
        """What a report should say of a mouth that was opened."""
        return ()
