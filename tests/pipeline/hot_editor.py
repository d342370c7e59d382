"""An editor that overflows in fp16 on one frame, and brightens in any other format."""

import numpy as np

from engines.errors import NumericOverflowError
from engines.interface import EditedCrops
from engines.traits import Option, Traits


class HotEditor:
    """A `FaceEditor` of one setting."""

    traits = Traits(options=(Option("dtype", str, "of its numbers", choices=("fp16", "bf16")),))
    crop_size = 64
    batch_size = 2

    def __init__(self, dtype: str = "fp16") -> None:
        self.dtype = dtype

    def edit(self, crops, delta, *, seed):
        if self.dtype == "fp16" and (crops.frame_index == 5).any():
            raise NumericOverflowError("65,504 is not enough; try bf16", {"dtype": "bf16"})
        reference = crops.images.astype(np.float32)
        brighter = np.minimum(reference + (40 if self.dtype == "bf16" else 20), 255)
        mask = np.ones(crops.images.shape[:3], np.float32)
        return EditedCrops(brighter, reference, mask, (f"edited in {self.dtype}",))
