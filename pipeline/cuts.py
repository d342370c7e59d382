"""Where one shot ends and the next begins; a crop path must not glide over a cut."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

GRID = (16, 9)
"""Thumbnail width and height."""
LEAST_STEP = 20.0
"""Mean absolute RGB difference (0…255) below which nothing counts as a cut."""
STEP_RATIO = 3.0
"""How far a cut stands out from the motion around it: a whip pan moves every frame as much."""
AROUND = 6
"""Frames on each side that tell how much the shot moves."""


def signature(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`(432,)` uint8: a 16×9 RGB thumbnail, each value the mean of its part of the frame."""
    return np.asarray(cv2.resize(rgb, GRID, interpolation=cv2.INTER_AREA), np.uint8).reshape(-1)


def find_cuts(signatures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """`(N,)` bool from `(N, K)` signatures: True where a frame starts a new shot (the first does).

    A cut differs on both of its sides: the two frames before it from the two after it, each from
    each. A flash fails that, its frame is alone. It also stands out from the motion around it.
    Dissolves are not cuts.
    """
    count = len(signatures)
    cuts = np.zeros(count, bool)
    cuts[:1] = True
    if count < 2:
        return cuts
    values = signatures.astype(np.int16)
    step = np.abs(np.diff(values, axis=0)).mean(axis=1)
    for t in np.flatnonzero(step >= LEAST_STEP) + 1:
        before = values[max(0, t - 2) : t]
        after = values[t : t + 2]
        across = np.abs(before[:, None] - after[None]).mean(axis=2).min()
        cuts[t] = across >= max(LEAST_STEP, STEP_RATIO * _motion_around(step, int(t) - 1))
    return cuts


def _motion_around(step: NDArray[np.float64], at: int) -> float:
    """Median step of the frames near a suspected cut, itself and its neighbours left out."""
    near = np.r_[step[max(0, at - AROUND) : max(0, at - 1)], step[at + 2 : at + 2 + AROUND]]
    return float(np.median(near)) if len(near) else 0.0
