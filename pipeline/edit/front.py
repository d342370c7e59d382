"""What is in front of a face: the places of a crop where a hand covers it, and the edit fades.

Hands are known by their points, everywhere. Hair, clothes, arms and things are known where a user
brought a network that tells them from a face's skin (engines/segmenters).
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

FINGERS = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
"""Points of each finger, root to tip; 0 is the wrist."""
PALM = (0, 1, 5, 9, 13, 17)
FINGER_WIDTH = 0.30
"""Of a finger's band, in the length from the wrist to the middle finger's root."""
CLOSED = 0.6
"""Fingers whose tips are nearer than this, in the same length, let nothing be seen between them."""
ARM_LENGTH, ARM_WIDTH = 1.2, 0.75
FACE_SEEN = 0.2
"""Share of an edit's mask that must be a face's skin, or the network has lost the face."""
SURELY = 0.3, 0.7
"""Share of what is in front where an edit begins to fade, and where nothing of it is left."""
FADED = 0.01
"""Least share of an edit's mask whose fading is worth a word."""
FADES = "the edit fades where hair, clothes, an arm or a thing is before the face"
LOST = "the segmenter saw no face's skin: nothing of the edit was faded by it"
FEATHER = 0.06
"""Deviation of the soft edge, in the same length; at least a pixel."""
_SHIFT = 4  # bits of a sub-pixel when drawing


def hands_matte(hands_px: NDArray[np.floating], size: int) -> NDArray[np.float32] | None:
    """`(S, S)` float32, 1 where a hand or its forearm is, with soft edges; None without any.

    Args:
        hands_px: `(K, 21, 2)` points, crop pixels; a hand of NaN is none.
    """
    hands = [hand for hand in hands_px if np.isfinite(hand).all()]
    if not hands:
        return None
    matte = np.zeros((size, size), np.float32)
    for hand in hands:
        np.maximum(matte, _one(hand.astype(np.float64), size), out=matte)
    return matte if matte.any() else None


def behind_hands(mask: NDArray[np.float32], hands_px: NDArray[np.floating]) -> NDArray[np.float32]:
    """An edit's mask, faded out where a hand is; the mask itself where there is none."""
    matte = hands_matte(hands_px, len(mask))
    return mask if matte is None else mask * (1 - matte)


def behind_things(
    mask: NDArray[np.float32], shares: NDArray[np.float32], landmarks_px: NDArray[np.floating]
) -> tuple[NDArray[np.float32], str]:
    """An edit's mask, faded out where hair, clothes, other skin or things are; what to tell of it.

    Background does not fade it: a jaw that drops moves over it. Nor does hair between the nose and
    the jaw's line, which is a beard far more often than a lock.

    Args:
        shares: `(h, w, 6)` 0…1 of each of `multiclass.CLASSES`, over the whole crop.
        landmarks_px: `(68, 2)` crop pixels.
    """
    size, total = len(mask), float(mask.sum())
    _, hair, body, face, clothes, others = cv2.split(_grown(shares, size))
    if float((face * mask).sum()) < FACE_SEEN * total:
        return mask, LOST if total else ""
    before = hair * (1 - _beard(landmarks_px, size)) + body + clothes + others
    low, high = SURELY
    clear = np.clip((high - before) / (high - low), 0, 1)
    faded = mask * (clear * clear * (3 - 2 * clear)).astype(np.float32)
    return faded, FADES if float(faded.sum()) < (1 - FADED) * total else ""


def _grown(shares: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(shares, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _beard(landmarks_px: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """`(S, S)`, 1 from the nose's base down to the chin, jaw to jaw, with soft edges."""
    jaw, nose = landmarks_px[3:14], landmarks_px[31:36]
    drawn = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(drawn, _fixed(cv2.convexHull(np.concatenate([jaw, nose]))), 1, shift=_SHIFT)
    soft = max(1.0, 0.03 * float(np.linalg.norm(jaw[-1] - jaw[0])))
    return np.asarray(cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), soft), np.float32)


def _one(hand: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    wrist, middle = hand[0], hand[9]
    length = float(np.linalg.norm(middle - wrist))
    drawn = np.zeros((size, size), np.uint8)
    width = max(1, round(FINGER_WIDTH * length))
    for finger in FINGERS:
        _line(drawn, hand[[0, *finger]] if finger[0] != 1 else hand[list(finger)], width)
    for one, next_one in pairwise(FINGERS[1:]):
        if np.linalg.norm(hand[one[-1]] - hand[next_one[-1]]) < CLOSED * length:
            between = cv2.convexHull(hand[[*one, *next_one]].astype(np.float32))
            cv2.fillConvexPoly(drawn, _fixed(between), 1, shift=_SHIFT)
    palm = cv2.convexHull(hand[list(PALM)].astype(np.float32))
    cv2.fillConvexPoly(drawn, _fixed(palm), 1, shift=_SHIFT)
    _line(drawn, hand[[*PALM, 0]], width)
    arm = wrist + (wrist - middle) * ARM_LENGTH
    _line(drawn, np.stack([wrist, arm]), max(1, round(ARM_WIDTH * length)))
    soft = max(1.0, FEATHER * length)
    return np.asarray(cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), soft), np.float32)


def _line(drawn: NDArray[np.uint8], points: NDArray[np.float64], width: int) -> None:
    cv2.polylines(drawn, [_fixed(points)], False, 1, width, cv2.LINE_8, _SHIFT)


def _fixed(points: ArrayLike) -> NDArray[np.int32]:
    limit = 2**14  # far outside any crop
    return np.rint(np.clip(points, -limit, limit) * (1 << _SHIFT)).astype(np.int32)
