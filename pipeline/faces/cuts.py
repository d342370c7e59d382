"""Where one shot ends and the next begins; a crop path must not glide over a cut."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

GRID = (16, 9)
"""Thumbnail width and height."""
SIGNATURE_VALUES = 3 * GRID[0] * GRID[1]
UNLIKE = 0.2
"""Least dissimilarity of a cut. Five real clips: at most 0.022 from frame to frame, at least 0.6
from clip to clip."""
STEP_RATIO = 3.0
"""How far a cut stands out from the motion on either side: a whip pan moves every frame as much."""
AROUND = 5
"""Frames on each side that tell how much the shot moves."""
FLASH = 4
"""Frames after which a picture that comes back was a flash, not two cuts."""
ALIKE = 0.5
"""How near it has to come back, as a part of the jump."""
BLOCK = 4096
"""Frames looked at at once: their thumbnails in floats take 32 times their bytes."""
NOISE = 8.0
"""Grey levels: flatter pictures are alike, also the last step of a fade to black."""

_READ_SIDE = 180  # pixels read per axis; more would not change a 16 × 9 thumbnail visibly
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # BT.709


def signature(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`(432,)` uint8: a 16×9 RGB thumbnail, each value the mean of its part of the frame."""
    height, width = rgb.shape[:2]
    sparse = rgb[:: max(1, height // _READ_SIDE), :: max(1, width // _READ_SIDE)]
    small = cv2.resize(np.ascontiguousarray(sparse), GRID, interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False).reshape(-1)


def dissimilarity(one: NDArray[np.number], other: NDArray[np.number]) -> NDArray[np.float64]:
    """`(N, K)` against `(N, K)` grey pictures → `(N,)`, 0 (alike) … 1 (unrelated) … 2.

    Brightness does not count and contrast hardly: a change of light is no cut.

    Source: one minus the contrast-structure term of SSIM (Wang et al. 2004), whole picture.
    """
    a = one.astype(np.float64) - one.mean(axis=-1, keepdims=True)
    b = other.astype(np.float64) - other.mean(axis=-1, keepdims=True)
    shared = (a * b).mean(axis=-1) + NOISE**2
    return 1.0 - shared / (((a * a).mean(axis=-1) + (b * b).mean(axis=-1)) / 2 + NOISE**2)


def find_cuts(signatures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """`(N,)` bool from `(N, K)` signatures: True where a frame starts a new shot (the first does).

    A cut is a jump that stands out from the motion on both of its sides, and after which the
    picture does not come back within four frames: a flash does, and so does an inserted shot that
    short. Dissolves are not cuts.
    """
    count = len(signatures)
    cuts = np.zeros(count, bool)
    cuts[:1] = True
    if count < 2:
        return cuts
    jump = np.zeros(count)
    for first in range(0, count - 1, BLOCK):
        luma = _luma(signatures[first : first + BLOCK + 1])
        jump[first + 1 : first + len(luma)] = dissimilarity(luma[1:], luma[:-1])
    for t in map(int, np.flatnonzero(jump > UNLIKE)):
        cuts[t] = jump[t] > STEP_RATIO * _motion_around(jump, t) and not _comes_back(
            signatures, t, float(jump[t])
        )
    return cuts


def _luma(signatures: NDArray[np.uint8]) -> NDArray[np.float32]:
    count, values = signatures.shape
    return signatures.reshape(count, values // 3, 3).astype(np.float32) @ _LUMA


def _motion_around(jump: NDArray[np.float64], at: int) -> float:
    """The livelier side's median jump; a second cut near by does not raise it."""
    sides = jump[max(1, at - AROUND) : at], jump[at + 1 : at + 1 + AROUND]
    return max((float(np.median(side)) for side in sides if len(side)), default=0.0)


def _comes_back(signatures: NDArray[np.uint8], at: int, jump: float) -> bool:
    """A picture from before the jump is seen again after it."""
    before = np.arange(max(0, at - FLASH - 1), at)
    after = np.arange(at, min(len(signatures), at + FLASH + 1))
    i, j = (axis.ravel() for axis in np.meshgrid(before, after))
    near = (j - i > 1) & (j - i <= FLASH + 1)
    alike = dissimilarity(_luma(signatures[i[near]]), _luma(signatures[j[near]]))
    return bool((alike < ALIKE * jump).any())
