"""Which points of the mesh are each other's mirror image."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from engines.faces.canonical import canonical_face


@functools.cache
def mesh_mirror() -> NDArray[np.intp]:
    """`(468,)` each mesh point's twin on the other side; those of the middle line are their own."""
    points = canonical_face().points_cm
    away = np.linalg.norm(points[:, None] - points * [-1.0, 1.0, 1.0], axis=2)
    return away.argmin(axis=1)
