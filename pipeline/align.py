"""The crop an editor sees: a square around the face, following it without trembling or lagging.

Source of the box and scale: fitted on MagicFace's official sample crops (box width 1.033 × hull
width, centre raised by 0.174 box widths, 352 of 512 pixels for 1.5 box widths).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BOX_FROM_HULL = 1.033
BOX_RAISED = 0.174
CROP_SPAN = 1.5 * 512 / 352
"""Side of the crop in box widths."""
CUTOFF_HZ = 0.5
SPEED_GAIN = 0.02
"""Cut-off gained per px/s of motion of a face 512 px wide (One-Euro's beta)."""
DERIVATIVE_CUTOFF_HZ = 1.0
REFERENCE_WIDTH_PX = 512.0


def face_squares(landmarks_px: NDArray[np.float32]) -> NDArray[np.float64]:
    """`(N, 3)` centre x, centre y, side of each crop, from `(N, 68, 2)` landmarks."""
    low = landmarks_px.min(axis=1).astype(np.float64)
    high = landmarks_px.max(axis=1).astype(np.float64)
    width = BOX_FROM_HULL * (high[:, 0] - low[:, 0])
    centre = (low + high) / 2
    centre[:, 1] -= BOX_RAISED * width
    return np.column_stack([centre, CROP_SPAN * width])


def crop_path(
    landmarks_px: NDArray[np.float32],
    times_s: NDArray[np.float64],
    restart: NDArray[np.bool_],
    size: int,
) -> NDArray[np.float64]:
    """`(N, 2, 3)` crop pixels → display pixels for each frame of one face.

    Args:
        landmarks_px: `(N, 68, 2)` display pixels.
        times_s: `(N,)` presentation times.
        restart: `(N,)` frames at which the path starts anew (cuts, long gaps).
        size: side of the crop, pixels; its centre `size / 2` lies on the box centre.
    """
    squares = face_squares(landmarks_px)
    starts = np.union1d([0], np.flatnonzero(restart))
    for a, b in zip(starts, [*starts[1:], len(squares)], strict=True):
        squares[a:b] = _steady(squares[a:b], times_s[a:b])
    scale = squares[:, 2] / size
    paths = np.zeros((len(squares), 2, 3))
    paths[:, 0, 0] = paths[:, 1, 1] = scale
    paths[:, :, 2] = squares[:, :2] - scale[:, None] * size / 2
    return paths


def _steady(squares: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """One-Euro forward and backward, averaged: what one lags behind the other runs ahead."""
    forward = one_euro(squares, times_s)
    backward = one_euro(squares[::-1], -times_s[::-1])[::-1]
    return (forward + backward) / 2


def one_euro(values: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """One-Euro filter of `(N, 3)` squares; the cut-off rises with speed, in face widths.

    Source: Casiez, Roussel, Vogel, "1 € Filter", CHI 2012.
    """
    smooth = values.copy()
    speed = np.zeros(values.shape[1])
    for i in range(1, len(values)):
        dt = times_s[i] - times_s[i - 1]
        unit = REFERENCE_WIDTH_PX * CROP_SPAN / max(smooth[i - 1, 2], 1e-6)
        raw = (values[i] - values[i - 1]) / dt * unit
        speed += _gain(DERIVATIVE_CUTOFF_HZ, dt) * (raw - speed)
        gain = _gain(CUTOFF_HZ + SPEED_GAIN * np.abs(speed), dt)
        smooth[i] = smooth[i - 1] + gain * (values[i] - smooth[i - 1])
    return smooth


def _gain(cutoff_hz: NDArray[np.float64] | float, dt: float) -> NDArray[np.float64] | float:
    return 1.0 / (1.0 + 1.0 / (2 * np.pi * cutoff_hz * dt))


def apply_affine(matrix: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """`(…, P, 2)` points through `(…, 2, 3)` matrices."""
    linear = np.swapaxes(matrix[..., :2], -1, -2)
    moved = points.astype(np.float64) @ linear
    return (moved + matrix[..., None, :, 2]).astype(np.float64)


def invert_affine(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The `(…, 2, 3)` inverse."""
    linear = np.linalg.inv(matrix[..., :2])
    return np.concatenate([linear, -linear @ matrix[..., 2:]], axis=-1)


def compose_affine(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(…, 2, 3)`: first `inner`, then `outer`."""
    linear = outer[..., :2] @ inner[..., :2]
    shift = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return np.concatenate([linear, shift], axis=-1)
