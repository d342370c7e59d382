"""How far eyes are shut, from 68 points over time: the same for every tracker and estimator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.faces.head_pose import rotation_from_angles

FULL = 5.0
_LIDS = (((37, 38), (41, 40)), ((43, 44), (47, 46)))
_OPEN_SHARE = 80
"""Percentile of a face's own openings that counts as open: blinks and squints are the rest."""
_OPEN_MIN = 0.04
_OPEN, _SHUT = 0.95, 0.12
"""Of the open eye: at and above nothing is shut; a shut one, whose lids' edges have a thickness."""


def eye_openings(
    landmarks_px: NDArray[np.floating], pose: NDArray[np.floating]
) -> NDArray[np.float64]:
    """`(N, 2)` how far the eyes at image left and right are open.

    Args:
        landmarks_px: `(N, 68, 2)`, of one picture's scale.
        pose: `(N, 3)` yaw, pitch, roll in degrees as in engines/interface.py.

    Returns:
        Outer-eye distances of the face seen from the front, down the face; below 0 where lids pass.
    """
    points = np.asarray(landmarks_px, np.float64)
    along = points[:, 45] - points[:, 36]
    distance = np.maximum(np.linalg.norm(along, axis=1), 1e-6)
    turns = [rotation_from_angles(*angles)[:2, 0] for angles in np.nan_to_num(pose).tolist()]
    seen = np.linalg.norm(np.reshape(turns, (-1, 2)), axis=1)
    down = np.stack([-along[:, 1], along[:, 0]], axis=1) / distance[:, None]
    gaps = [points[:, lower].mean(1) - points[:, upper].mean(1) for upper, lower in _LIDS]
    unit = distance / np.maximum(seen, 0.3)
    return np.stack([(gap * down).sum(axis=1) for gap in gaps], axis=1) / unit[:, None]


def eye_closure(
    landmarks_px: NDArray[np.floating], pose: NDArray[np.floating]
) -> NDArray[np.float32]:
    """`(N, 2)` 0…5: one face's eyes over time, 5 = shut, measured against themselves wide awake.

    Its own eye is open where it is as open as in the widest fifth of the frames. On clips of five
    people the mean of both goes with the landmarker's eyeBlink by .85 to .99.
    """
    return closure_of(eye_openings(landmarks_px, pose))


def closure_of(openings: NDArray[np.float64]) -> NDArray[np.float32]:
    """What `eye_closure` gives, of one face's `eye_openings` over time."""
    if not len(openings):
        return np.zeros((0, 2), np.float32)
    widest = np.maximum(np.percentile(openings, _OPEN_SHARE, axis=0), _OPEN_MIN)
    shut = (_OPEN - openings / widest) / (_OPEN - _SHUT)
    return (FULL * np.clip(shut, 0.0, 1.0)).astype(np.float32)
