"""The editor that borrows: the rig's motion, and mouths from other frames of the same shot.

What opens shows what is really there: teeth and tongue as the same shot shows them in another
frame. Where the shot has no such frame it is painted, as in the preview, and the notes say so.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engines.editors.plate.interior import lent_inside, skin_gain
from engines.editors.rig.draw import Image, Inside
from engines.editors.rig.editor import RigEditor
from engines.editors.rig.face import FaceFrame
from engines.editors.rig.mouth import Lips
from engines.interface import AlignedCrops, LentMouth

_SHUT, _OPEN = 0.03, 0.07
"""Inner lips apart: a mouth that is open already keeps its own inside; a donor's would ghost."""


class PlateEditor(RigEditor):
    """Moves a face by the rig; what shows in a mouth that opens is lent by the same shot."""

    name: ClassVar[str] = "plate"

    def inside(self, crops: AlignedCrops, number: int) -> Inside | None:
        """The lent mouth, in this frame's light."""
        return _inside(crops.images[number], crops.landmarks_px[number], _lent(crops, number))

    def told(self, crops: AlignedCrops, number: int) -> tuple[str, ...]:
        """Which frame lent it, or that none did."""
        return (_told(_lent(crops, number)),)


def _lent(crops: AlignedCrops, number: int) -> LentMouth | None:
    return None if crops.mouths is None else crops.mouths[number]


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
    ) -> tuple[NDArray[Any], float] | None:
        openness = np.clip((float(before.gap.max()) - _SHUT) / (_OPEN - _SHUT), 0.0, 1.0)
        gain = skin_gain(image, landmarks_px, lent)
        return lent_inside(frame, after, pixels, lent, gain), lent.weight * float(1.0 - openness)

    return shown
