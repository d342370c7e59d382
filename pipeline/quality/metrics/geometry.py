"""How far a face's points moved, in action units: a ruler that no estimator holds.

The points are compared with what the same units move on drawn heads with known expressions
(pipeline/heads). They are still read by the tracker: where its points follow the picture badly,
so does this. Unlike an intensity it does not end at 5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_ORDER, INTENSITY_MAX
from pipeline.heads.landmarks import unit_fields
from pipeline.quality.metrics.flicker import levelled

_RIDGE = 1e-4
_CONTOUR_WEIGHT = 0.3
"""Of jaw points: where they lie along the jaw is a convention, not a place on the skin."""


def moved_units(
    before_px: NDArray[np.floating],
    after_px: NDArray[np.floating],
    asked: NDArray[np.bool_],
    yaw_deg: NDArray[np.floating],
) -> NDArray[np.float64]:
    """`(N, 12)` intensity units by which each asked unit moved its points; NaN for the others.

    Least squares over all asked units at once, so that a cheek raised by a smile is not counted
    twice.

    Args:
        before_px, after_px: `(N, 68, 2)` the same frames of plate and edit.
        asked: `(12,)` in AU_ORDER.
        yaw_deg: `(N,)`; a turned head shows sideways movement shorter.
    """
    units = np.full((len(before_px), len(AU_ORDER)), np.nan)
    columns = np.flatnonzero(asked)
    if not len(columns) or not len(before_px):
        return units
    weight = np.ones(68)
    weight[:17] = _CONTOUR_WEIGHT
    seen = (levelled(after_px) - levelled(before_px)) * weight[:, None]
    fields = unit_fields(columns.tolist()) * weight[:, None]
    for row, (shift, yaw) in enumerate(zip(seen, yaw_deg, strict=True)):
        shown = fields * [max(np.cos(np.radians(yaw)), 0.3), 1.0]
        basis = shown.reshape(len(columns), -1)
        normal = basis @ basis.T + _RIDGE * np.eye(len(columns))
        units[row, columns] = INTENSITY_MAX * np.linalg.solve(normal, basis @ shift.ravel())
    return units
