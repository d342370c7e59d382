"""Small faces: the detector on overlapping squares of a frame.

On 1080p the smallest face found is 200 px wide in the whole frame, 120 px with tiles of the frame's
shorter side (6 ms), 60 px with tiles of half of it (48 ms), 40 px with a quarter (236 ms).
"""

from __future__ import annotations

import math

import numpy as np

from engines.interface import RGBFrame
from engines.trackers.mesh.detector import SIDE as DETECTOR_SIDE
from engines.trackers.mesh.detector import Detection, FaceDetector, drop_shared
from engines.trackers.mesh.sampling import Region

_RIM = 0.02  # of a tile's side: a box this close to an inner tile edge is a face cut in two


def _starts(length: int, side: float) -> list[float]:
    """First pixels of tiles that cover a length, at most half a side apart."""
    if length <= side:
        return [(length - side) / 2]
    steps = math.ceil((length - side) / (side / 2))
    return [(length - side) * i / steps for i in range(steps + 1)]


def tile_regions(width: int, height: int, level: int) -> list[Region]:
    """Squares of the frame's shorter side / 2^level, row by row; none below the detector's 128 px,
    where nothing would be gained."""
    side = min(width, height) / 2**level
    if side < DETECTOR_SIDE:
        return []
    return [
        Region(x + side / 2, y + side / 2, side, side)
        for y in _starts(height, side)
        for x in _starts(width, side)
    ]


def _is_cut(found: Detection, tile: Region, width: int, height: int) -> bool:
    """The box touches a tile edge that is not the frame's own."""
    x0, y0, x1, y1 = found.box
    left, top = tile.cx - tile.width / 2, tile.cy - tile.height / 2
    right, bottom = left + tile.width, top + tile.height
    rim = _RIM * tile.width
    return bool(
        (left > 0.5 and x0 < left + rim)
        or (top > 0.5 and y0 < top + rim)
        or (right < width - 0.5 and x1 > right - rim)
        or (bottom < height - 0.5 and y1 > bottom - rim)
    )


def detect_in_tiles(detector: FaceDetector, frame: RGBFrame, level: int) -> list[Detection]:
    """Faces of one tile size, best first, each once."""
    height, width = frame.shape[:2]
    found: list[Detection] = []
    for tile in tile_regions(width, height, level):
        whole = (d for d in detector.detect(frame, tile) if not _is_cut(d, tile, width, height))
        found.extend(whole)
    return drop_shared([d for d in found if np.isfinite(d.points).all()])
