"""Head matrices by weighted similarity fits, and their angles."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.faces.canonical import CanonicalFace

_NEAR_HEIGHT = 2 * math.tan(math.radians(63.0 / 2))  # of the near plane, 1 cm before the camera


def fit_similarity(
    source: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Scale s, `(3, 3)` rotation R and `(3,)` t with target ≈ s·R·source + t for `(N, 3)` points.

    Source: weighted orthogonal Procrustes with det(R) = +1 (Kabsch; Umeyama 1991).
    """
    total = weights.sum()
    centre_a = weights @ source / total
    centre_b = weights @ target / total
    a, b = source - centre_a, target - centre_b
    u, _, vt = np.linalg.svd((b * weights[:, None]).T @ a)
    u[:, 2] *= np.sign(np.linalg.det(u @ vt))
    rotation = u @ vt
    scale = float((weights * ((a @ rotation.T) * b).sum(axis=1)).sum() / (weights @ (a**2).sum(1)))
    return scale, rotation, centre_b - scale * rotation @ centre_a


def head_matrix(
    mesh_px: NDArray[np.float32], width: int, height: int, face: CanonicalFace
) -> NDArray[np.float32]:
    """`(4, 4)` float32 face → camera, cm, y up, looking along −z; its scale is left in.

    Camera: 63° vertical field of view, principal point at the centre of the frame.
    Source: MediaPipe's face geometry pipeline: depth is unknown up to a scale, found by two fits.
    """
    used = face.weights > 0
    weights, canonical = face.weights[used], face.points_cm[used]
    points = mesh_px[:468][used].astype(np.float64)
    near_width = _NEAR_HEIGHT * width / height
    x = (points[:, 0] / width - 0.5) * near_width
    y = (0.5 - points[:, 1] / height) * _NEAR_HEIGHT
    z = points[:, 2] / width * near_width
    mean_depth = float((mesh_px[:468, 2].astype(np.float64) / width * near_width).mean())

    def unproject(scale: float) -> NDArray[np.float64]:
        depth = (z - mean_depth + 1.0) / scale
        return np.column_stack([x * depth, y * depth, -depth])

    first, _, _ = fit_similarity(canonical, np.column_stack([x, y, -z]), weights)
    second, _, _ = fit_similarity(canonical, unproject(first), weights)
    scale, rotation, offset = fit_similarity(canonical, unproject(first * second), weights)
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation
    matrix[:3, 3] = offset
    return matrix.astype(np.float32)


def rotation_of(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """The `(3, 3)` rotation of a head matrix, its scale divided out."""
    block = matrix[:3, :3].astype(np.float64)
    return block / np.linalg.norm(block, axis=0)


def pose_angles(rotation: NDArray[np.floating]) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees of a face → camera rotation (x right, y up, z to the viewer).

    Rotation = Rz(−roll)·Ry(yaw)·Rx(−pitch): turning the picture changes roll alone. Yaw > 0 turns
    to the viewer's right, pitch > 0 looks up, roll > 0 tilts clockwise as the viewer sees it.
    """
    roll = math.atan2(-rotation[1, 0], rotation[0, 0])
    yaw = math.atan2(-rotation[2, 0], math.hypot(rotation[0, 0], rotation[1, 0]))
    pitch = math.atan2(-rotation[2, 1], rotation[2, 2])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def rotation_from_angles(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """The `(3, 3)` face → camera rotation that `pose_angles` reads these degrees from."""
    y, p, r = np.radians([yaw, -pitch, -roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
