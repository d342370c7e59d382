"""Stands where FAN's two networks do: the packaged mesh finds the faces and draws the heat maps.

So FanTracker itself (choosing, cropping, decoding, poses) can be asked what every tracker promises
on a real face, without weights that are not to be had here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from engines.trackers.mesh.tracker import MeshTracker

STEP_PX = 4.0
"""Crop pixels per step of a heat map."""


class MeshNetworks:
    """A `FaceNetworks` of the mesh tracker."""

    def __init__(self) -> None:
        self._mesh = MeshTracker()

    def detect(self, frames: Sequence[RGBFrame]) -> list[NDArray[np.float64]]:
        rows = [[(*face.box, face.score) for face in found] for found in self._mesh.track(frames)]
        return [np.array(found, np.float64).reshape(-1, 5) for found in rows]

    def heatmaps(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        y, x = np.mgrid[:64, :64]
        maps = np.zeros((len(crops), 68, 64, 64), np.float32)
        for number, crop in enumerate(crops):
            (face,) = MeshTracker(max_faces=1).track([crop])[0]  # alone: it follows nothing
            steps = (face.landmarks_px + 0.5) / STEP_PX - 0.5
            apart = (x - steps[:, 0, None, None]) ** 2 + (y - steps[:, 1, None, None]) ** 2
            maps[number] = np.exp(-apart / (2 * 1.75**2))
        return maps
