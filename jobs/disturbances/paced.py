"""The editor of disturbed runs: previz, slow enough that a disturbance meets work under way."""

from __future__ import annotations

import os
import time

from engines.editors.previz.editor import PrevizEditor
from engines.interface import AlignedCrops, EditedCrops
from engines.traits import Traits
from keyframes.au import AUDelta

SIZE = 128
PACE = "AUREEL_CHAOS_PACE_S"
"""Environment: seconds that an edit takes longer."""


class PacedEditor(PrevizEditor):
    """Its bytes depend on the curve, so that no curve's piece can pass for another's."""

    traits = Traits(seconds_per_edit=5.0)  # so that a short clip has several pieces

    def __init__(self) -> None:
        super().__init__(SIZE)

    @staticmethod
    def crop_size_for() -> int:
        return SIZE

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        time.sleep(float(os.environ.get(PACE, "0")))
        return super().edit(crops, delta, seed=seed)
