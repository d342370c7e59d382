"""The editor that borrows: the rig's motion, and what other frames of the same shot show.

What opens shows what is really there, teeth and tongue as another frame has them; skin folds as it
folds there, eyes shut as they shut there, and units move the face as they do there. Where the shot
has no such frame, mouths are painted and lids drawn down as in the preview, skin stays flat, and
units are the rig's.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engines.editors.plate.eyes import draw_eyes
from engines.editors.plate.folds import draw_folds
from engines.editors.plate.interior import lent_inside, skin_gain
from engines.editors.rig.draw import Image, Inside, Over, Shown
from engines.editors.rig.editor import RigEditor
from engines.editors.rig.face import FaceFrame
from engines.editors.rig.lips import Lips
from engines.editors.rig.person import personal_field
from engines.errors import EngineError
from engines.interface import AlignedCrops
from engines.lent import OWN, RIG, Lent, LentMouth
from keyframes.au import AUDelta

SHUT, OPEN = 0.03, 0.07
"""Inner lips apart: a mouth that is open already keeps its own inside; a donor's would ghost."""


class PlateEditor(RigEditor):
    """Moves a face by the rig, bent to the person; mouths, folds and shut eyes are lent by the same
    shot.

    Args:
        size, batch: as of RigEditor.
        units: `own` or `rig`: whether what the shot shows of the person bends the rig.

    Raises:
        EngineError: as RigEditor, or other `units`.
    """

    name: ClassVar[str] = "plate"

    def __init__(self, size: int = 512, batch: int = 1, units: str = OWN) -> None:
        super().__init__(size, batch)
        if units not in (OWN, RIG):
            raise EngineError(f"plate editor: got units {units!r}; expected {OWN!r} or {RIG!r}")
        self._units = units

    def inside(self, crops: AlignedCrops, number: int) -> Inside | None:
        """The lent mouth, in this frame's light."""
        return _inside(crops.images[number], crops.landmarks_px[number], _lent(crops, number).mouth)

    def over(self, crops: AlignedCrops, delta: AUDelta, number: int) -> Over | None:
        """Lent folds, then lent lids over them."""
        lent, lids = _lent(crops, number), delta.lids[number]
        folds, eyes, eyes_open = lent.folds, lent.eyes, lent.eyes_open
        if folds is None and not eyes:
            return None

        def drawn(
            frame: FaceFrame, after: NDArray[np.float64], edited: Image, mask: NDArray[np.float32]
        ) -> None:
            if folds is not None:
                draw_folds(frame.to_px(after), folds, edited, mask)
            if eyes and eyes_open is not None:
                draw_eyes(frame, after, lids, eyes_open, eyes, edited, mask)

        return drawn

    def field(self, crops: AlignedCrops, number: int) -> NDArray[np.float64] | None:
        """The units as the shot shows this person to have them."""
        person = _lent(crops, number).person
        return None if person is None or self._units == RIG else personal_field(person)

    def told(self, crops: AlignedCrops, number: int) -> tuple[str, ...]:
        """Which frame lent a mouth, or that none did."""
        return (_told(_lent(crops, number).mouth),)


def _lent(crops: AlignedCrops, number: int) -> Lent:
    return Lent() if crops.lent is None else crops.lent[number]


def _told(lent: LentMouth | None) -> str:
    if lent is None:
        return "mouth painted: no frame of the shot lent its inside"
    return f"mouth lent by frame {lent.frame}"


def _inside(
    image: Image, landmarks_px: NDArray[np.float32], lent: LentMouth | None
) -> Inside | None:
    if lent is None:
        return None

    def shown(
        frame: FaceFrame, before: Lips, after: Lips, pixels: NDArray[np.float64]
    ) -> Shown | None:
        shut = 1.0 - np.clip((float(before.gap.max()) - SHUT) / (OPEN - SHUT), 0.0, 1.0)
        gain = skin_gain(image, landmarks_px, lent)
        taken, there = lent_inside(frame, after, pixels, lent, gain)
        return taken, there * np.float32(lent.weight * shut)

    return shown
