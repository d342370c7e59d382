"""What frames beside one tell of it, where no more of a clip is analysed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.cuts import signature
from pipeline.faces.moments import FieldSteps, of_one_moment
from pipeline.faces.stretches import all_stretches
from pipeline.media.read.decoding.reader import analysis_frames
from pipeline.media.read.inspection import Inspection
from pipeline.pictures import SECOND

BESIDE = 12
"""Frames to either side that are looked at."""


def one_moment_near(
    inspection: Inspection, number: int, boxes: Sequence[NDArray[np.float32]]
) -> NDArray[np.bool_]:
    """`(N,)`: whether the fields of one frame show one moment, by its neighbours in the same shot.

    Args:
        boxes: of its faces, display pixels; near it they are not far from there.
    """
    info, index = inspection.info, inspection.index
    first, last = max(0, number - BESIDE), min(inspection.frames - 1, number + BESIDE)
    between, signatures = FieldSteps(), list[NDArray[np.uint8]]()
    for picture in analysis_frames(info.path, info, index, first, last):
        between.see(picture, boxes)
        if picture.field != SECOND:
            signatures.append(signature(picture.rgb))
    steps = [between.steps.get(n, np.nan) for n in range(first, last + 1)]
    starts = all_stretches(np.stack(signatures)).starts
    found = np.zeros(inspection.frames, np.bool_)
    found[number] = of_one_moment(np.array(steps, np.float32), starts)[number - first]
    return found
