"""The canonical face of MediaPipe's geometry metadata, and what the trackers share about poses."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

TASK = "face_landmarker.task"


@dataclass(frozen=True)
class CanonicalFace:
    """A face at rest.

    Attributes:
        points_cm: `(468, 3)` float64, x to the viewer's right, y up, the nose towards +z.
        weights: `(468,)` float64, how much a point counts when a pose is fitted; 33 are not 0.
    """

    points_cm: NDArray[np.float64]
    weights: NDArray[np.float64]


@functools.cache
def canonical_face() -> CanonicalFace:
    """The packaged arrays, which tests/engines/faces/make_canonical_face.py took from TASK."""
    packaged = resources.files("engines.faces") / "canonical_face.npz"
    with packaged.open("rb") as file, np.load(file) as arrays:
        return CanonicalFace(
            arrays["points_cm"].astype(np.float64), arrays["weights"].astype(np.float64)
        )
