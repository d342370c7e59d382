"""The colour of an edit held to the plate's, where the two must meet: in the mask's ring.

A network that paints a face anew may shift its colour or contrast by a few levels, which shows as a
patch. In the ring (the mask's rim, where the edit fades into the plate) the edited crop ought to be
the plate: what differs there in mean and spread, channel by channel, is the editor's cast, and is
taken back over the whole crop. A cast of up to SLACK levels stays, for moved skin differs by as
much, and the share beyond it is continuous, so that nothing switches between frames.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SLACK = 1.0
"""Mean difference that is no cast, 8-bit levels."""
SPREAD_SLACK = 0.03
"""Spread ratio that is no cast, as a logarithm."""
SPREAD_MOST = 0.3
"""Most that a spread is corrected by, as a logarithm: beyond it, the ring shows another thing."""
RING = 1 / 24
"""Width of the ring where the mask is full, in crops' sides."""
_SEEN, _LEAST_PIXELS = 0.02, 64


def ring_of(mask: NDArray[np.float32]) -> NDArray[np.bool_]:
    """`(S, S)` bool: where a mask's edit shows, but for its heart."""
    inside = (mask >= 0.5).view(np.uint8)
    width = 2 * max(1, round(len(mask) * RING)) + 1
    heart = cv2.erode(inside, np.ones((width, width), np.uint8), borderValue=1)
    return (mask > _SEEN) & (heart == 0)


def without_cast(
    edited: NDArray[Any],
    reference: NDArray[Any],
    mask: NDArray[np.float32],
    full_scale: float,
) -> NDArray[Any]:
    """The edited crop with the plate's mean and spread in the ring; itself where it has no cast.

    Args:
        edited, reference: `(S, S, 3)` on one scale, 0…full_scale; neither is changed.
        mask: `(S, S)` 0…1.

    Returns:
        `(S, S, 3)` float32, or `edited` as it came.
    """
    ring = ring_of(mask)
    if np.count_nonzero(ring) < _LEAST_PIXELS:
        return edited
    (middle, ours), (theirs_middle, theirs) = (
        _mean_and_spread(picture, ring) for picture in (edited, reference)
    )
    spread = np.log((theirs + 1e-3) / (ours + 1e-3))
    gain = np.exp(np.clip(_beyond(spread, SPREAD_SLACK), -SPREAD_MOST, SPREAD_MOST))
    shift = _beyond(theirs_middle - middle, SLACK / 255 * full_scale)
    if (gain == 1).all() and (shift == 0).all():
        return edited
    return _moved(edited, middle, gain, middle + shift)


def _moved(
    picture: NDArray[Any],
    middle: NDArray[np.float64],
    gain: NDArray[np.float64],
    to: NDArray[np.float64],
) -> NDArray[np.float32]:
    """`(S, S, 3)` float32 (picture − middle) · gain + to, each `(3,)`.

    The three are repeated along a row: NumPy's loops over three samples take ten times as long.
    """
    rows = picture.astype(np.float32).reshape(len(picture), -1)
    less, times, more = (
        np.tile(a.astype(np.float32), picture.shape[1]) for a in (middle, gain, to)
    )
    np.subtract(rows, less, out=rows)
    np.multiply(rows, times, out=rows)
    return np.add(rows, more, out=rows).reshape(picture.shape)


def _mean_and_spread(
    picture: NDArray[Any], ring: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`(3,)` each, in one pass."""
    mean, spread = cv2.meanStdDev(picture, mask=ring.view(np.uint8))
    return np.asarray(mean, np.float64).ravel(), np.asarray(spread, np.float64).ravel()


def _beyond(value: NDArray[np.float64], slack: float) -> NDArray[np.float64]:
    return np.sign(value) * np.maximum(np.abs(value) - slack, 0.0)
