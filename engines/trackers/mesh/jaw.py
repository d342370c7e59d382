"""The jaw of a face that another tracker found, as the mesh sees it.

A 2D tracker's jaw slides along the visible contour as a head turns; the dots that MagicFace is
shown come from a 3D one, which stays on the head. Crops are fitted on the mesh's hull as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from engines.interface import Face, RGBFrame
from engines.trackers.mesh.tracker import MeshTracker

JAW = slice(0, 17)
AROUND = 0.75
"""Of the face's longer side, kept on each side of its box: the mesh then meets it whole."""
SAME_FACE = 0.35
"""Of the outer-eye distance, between the points inside both faces, in the mean."""


def with_mesh_jaw(frame: RGBFrame, faces: Sequence[Face]) -> list[Face]:
    """The faces; one without a mesh of its own gets the mesh's jaw points, and the box of them all.

    Where the mesh does not see that face, it stays as it is.
    """
    return [face if face.mesh_px is not None else _with_jaw(frame, face) for face in faces]


def _with_jaw(frame: RGBFrame, face: Face) -> Face:
    reach = AROUND * float(np.max(face.box[2:] - face.box[:2]))
    x0, y0 = np.maximum(np.floor(face.box[:2] - reach), 0).astype(int)
    x1, y1 = np.ceil(face.box[2:] + reach).astype(int)
    around = np.ascontiguousarray(frame[y0 : max(y1, 0), x0 : max(x1, 0)])
    if min(around.shape[:2]) < 2:
        return face
    corner = np.array([x0, y0], np.float32)
    seen = [found.landmarks_px + corner for found in _tracker().track([around])[0]]
    same = [points for points in seen if _apart(points, face.landmarks_px) < SAME_FACE]
    if not same:
        return face
    landmarks = face.landmarks_px.copy()
    landmarks[JAW] = min(same, key=lambda points: _apart(points, face.landmarks_px))[JAW]
    box = np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])
    return replace(face, landmarks_px=landmarks, box=box)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    eyes = float(np.linalg.norm(other[36] - other[45]))
    inner = np.linalg.norm(one[17:] - other[17:], axis=1)
    return float(inner.mean()) / max(eyes, 1e-6)


@cache
def _tracker() -> MeshTracker:
    return MeshTracker(tiles=False)
