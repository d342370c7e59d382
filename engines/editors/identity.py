"""An editor that changes nothing: what still differs in an output is the pipeline's own loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.editors.checks import check_crops, check_settings
from engines.interface import AlignedCrops, EditedCrops
from keyframes.au import AUDelta

MIN_SIZE = 16
FEATHER = 1 / 16
"""Width of the mask's soft border, as a part of the crop's side."""


def feathered_mask(size: int) -> NDArray[np.float32]:
    """`(size, size)` float32: 0 on the outermost pixels, a raised cosine, 1 in the interior."""
    to_edge = np.minimum(np.arange(size), np.arange(size)[::-1])
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.clip(to_edge / (size * FEATHER), 0.0, 1.0))
    return np.outer(ramp, ramp).astype(np.float32)


class IdentityEditor:
    """Gives every crop back as it came, under a mask that is 1 inside: the fidelity instrument.

    A frame with a non-zero delta goes the whole way (crop, paste, encode) and must come out as a
    frame that was only re-encoded.

    Args:
        size: side of the square crops, pixels, at least 16.
        batch: crops per call, at least 1.

    Raises:
        EngineError: settings out of range; in `edit`, crops of another size or a delta of another
            length.
    """

    def __init__(self, size: int = 512, batch: int = 1) -> None:
        check_settings("identity", size, batch, size_min=MIN_SIZE)
        self._size = size
        self._batch = batch
        self._mask = feathered_mask(size)

    @property
    def crop_size(self) -> int:
        return self._size

    @property
    def batch_size(self) -> int:
        return self._batch

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:  # noqa: ARG002
        """The crops as edited and as reference; seed and the delta's values change nothing."""
        check_crops("identity", crops, delta, self._size)
        return EditedCrops(
            edited=crops.images.copy(),
            reference=crops.images.copy(),
            mask=np.repeat(self._mask[None], len(crops), axis=0),
        )
