"""Engines for tests, named as `--engine tests.fakes:Name`: small citizens of the pipeline."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from engines.editors.identity import IdentityEditor
from engines.errors import EngineError
from engines.interface import AlignedCrops, EditedCrops
from keyframes.au import AUDelta


class BatchEditor:
    """Stands where a GPU editor will: fixed batches, every crop inverted, and it counts its calls.

    Refuses a batch that is not full, as a compiled network would.
    """

    crop_size = 128
    batch_size = 4

    @staticmethod
    def crop_size_for() -> int:
        return 128

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        if len(crops) != self.batch_size:
            raise EngineError(f"a batch of {len(crops)}; compiled for {self.batch_size}")
        edited = 255 - crops.images
        mask = np.zeros(crops.images.shape[:3], np.float32)
        mask[:, 32:96, 32:96] = 1.0
        return EditedCrops(edited, crops.images, mask, notes=("inverted",))


class FailingEditor(IdentityEditor):
    """Fails on the clips' frame 7."""

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        if 7 in crops.frame_index:
            raise EngineError("cannot edit frame 7")
        return super().edit(crops, delta, seed=seed)


class KillerEditor(IdentityEditor):
    """Kills its process on frame 7: as often as the file in AUREEL_TEST_KILLS says."""

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        if 7 in crops.frame_index:
            left = Path(os.environ["AUREEL_TEST_KILLS"])
            count = int(left.read_text())
            if count:
                left.write_text(str(count - 1))
                os._exit(9)
        return super().edit(crops, delta, seed=seed)
