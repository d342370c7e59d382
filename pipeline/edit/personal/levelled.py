"""What a shot shows of one face: where its points are without the head's turning, and what of
that no action unit makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import face_frame
from engines.editors.rig.person import resting_places
from keyframes.au import AU_COLUMN

POINTS_SEEN = np.array([*range(6, 11), *range(17, 68)])
"""Landmarks that tell how a face moves: the chin and all within; what else is jaw line slides."""
_PURSED_FROM, _PURSED = 0.02, 0.1  # outer-eye distances
_CALM = 25.0


@dataclass(frozen=True)
class Seen:
    """Pictures of one face in one shot in which all is measured, in the order of time.

    Attributes:
        points: `(N, J, 2)` POINTS_SEEN along the head's axes, x to the viewer's right, y up,
            outer-eye distances.
        intensity: `(N, 12)` measured, in AU_ORDER.
        nuisances: `(N, K)` what else moves them: 1, yaw, pitch and roll / 10°, shut eyes 0…1,
            pursed lips.
    """

    points: NDArray[np.float64]
    intensity: NDArray[np.float64]
    nuisances: NDArray[np.float64]


def seen_of(
    landmarks_px: NDArray[np.floating],
    pose: NDArray[np.floating],
    intensity: NDArray[np.floating],
    eyes_open: NDArray[np.floating],
) -> Seen:
    """What pictures show.

    Args:
        landmarks_px: `(N, 68, 2)`.
        pose: `(N, 3)` degrees.
        intensity: `(N, 12)`.
        eyes_open: `(N, 2)` 0…1.

    Raises:
        EngineError: as `face_frame`.
    """
    points = levelled(landmarks_px, pose)
    turned = (pose - pose.mean(axis=0)) / 10.0
    shut, pursed = 1.0 - eyes_open.mean(axis=1), _pursed(points, intensity[:, AU_COLUMN[12]])
    nuisances = np.column_stack([np.ones(len(points)), turned, shut, pursed])
    return Seen(points[:, POINTS_SEEN], intensity.astype(np.float64), nuisances)


def _pursed(points: NDArray[np.float64], smile: NDArray[np.floating]) -> NDArray[np.float64]:
    """`(N,)` how much narrower a mouth is than it mostly is where it smiles least."""
    width = np.linalg.norm(points[:, 54] - points[:, 48], axis=1)
    rest = np.median(width[smile <= np.percentile(smile, _CALM)])
    return np.maximum(rest - width - _PURSED_FROM, 0.0) / _PURSED


def levelled(landmarks_px: NDArray[np.floating], pose: NDArray[np.floating]) -> NDArray[np.float64]:
    """`(N, 68, 2)` landmarks of a head that looks at the viewer, at the canonical face's depths."""
    depth = resting_places()[:68, 2:]
    frames = [face_frame(*face) for face in zip(landmarks_px, pose, strict=True)]
    flat = np.stack([f.from_px(px) for f, px in zip(frames, landmarks_px, strict=True)])
    seen = np.stack([frame.seen for frame in frames])
    return (flat - depth * seen[:, None, 2]) @ np.linalg.inv(seen[:, :2])
