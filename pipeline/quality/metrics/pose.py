"""Did the head turn: angles before against after."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def head_rotation(
    before: NDArray[np.floating], after: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Degrees by which a head turned, and by which its pitch alone reads differently.

    Args:
        before, after: `(N, 3)` yaw, pitch, roll in degrees of the same frames.
    Returns:
        `(N,)` of yaw and roll together, and `(N,)` of pitch, which an expression moves as well.
    """
    change = np.asarray(after, np.float64) - before
    change = (change + 180) % 360 - 180
    return np.hypot(change[:, 0], change[:, 2]), np.abs(change[:, 1])
