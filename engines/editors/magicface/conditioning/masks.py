"""Which pixels of a crop are the person, the face, and open to change.

Landmarks are `(68, 2)` float32 iBUG points in crop pixels; masks are `(S, S)` bool or 0…1.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.devices.litert import LiteRTModel, packaged_model
from keyframes.curves.easing import smoothstep

SEGMENTER = "selfie_segmentation.tflite"
SEGMENTER_SIZE = 256
PERSON_SCORE = 0.3
"""Least score of a person's pixel; 0.3 agrees best with the three official samples
(IoU 0.987, 0.976, 0.966; 0.5 gives 0.981, 0.971, 0.962)."""
FACE_SEEN = 0.7
"""Share of the landmarks' hull that a person mask must cover to be believed."""
GRABCUT_ROUNDS = 2
FULL_STRENGTH = 0.5
"""Length of an AU delta from which on an edit is pasted whole."""
LEAST_WEIGHT = 1 / 512
"""A smaller weight changes no sample of 8 bits, and is 0."""
_HAIRLINE = np.array([[0.5, 0.68, 0.8, 0.86, 0.88, 0.88, 0.86, 0.8, 0.68, 0.5]], np.float32).T

_Mask = NDArray[np.bool_]
_Landmarks = NDArray[np.float32]


class PersonSegmenter:
    """MediaPipe's selfie segmentation in LiteRT; about 4 ms per crop."""

    def __init__(self) -> None:
        self._model = LiteRTModel(packaged_model(SEGMENTER))

    def __call__(self, image: NDArray[np.uint8]) -> _Mask:
        """Person's pixels of one `(S, S, 3)` RGB crop."""
        side = (SEGMENTER_SIZE, SEGMENTER_SIZE)
        small = cv2.resize(image, side, interpolation=cv2.INTER_AREA)
        (scores,) = self._model((small[None] / 255).astype(np.float32)).values()
        whole = cv2.resize(scores.reshape(side), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return whole > PERSON_SCORE


def _hull_mask(points: NDArray[np.floating], size: int) -> _Mask:
    mask = np.zeros((size, size), np.uint8)
    hull = cv2.convexHull(np.rint(points).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1)
    return mask.astype(bool)


def _upward(landmarks_px: _Landmarks) -> NDArray[np.float32]:
    """From the nose's base to the brows: a third of a face, towards its top."""
    return (landmarks_px[17:27].mean(axis=0) - landmarks_px[33]).astype(np.float32)


def _face_points(landmarks_px: _Landmarks) -> NDArray[np.float32]:
    """The 68 points and a forehead: brows and temples lifted, as faces are three thirds high."""
    up = _upward(landmarks_px)
    forehead = landmarks_px[17:27] + _HAIRLINE * up
    temples = landmarks_px[[0, 16]] + 0.4 * up
    return np.concatenate([landmarks_px, forehead, temples]).astype(np.float32)


def face_mask(landmarks_px: _Landmarks, size: int) -> _Mask:
    """Jaw to hairline, ear to ear, from landmarks alone."""
    return _hull_mask(_face_points(landmarks_px), size)


def covers_face(person: _Mask, landmarks_px: _Landmarks) -> bool:
    """Whether a person mask holds most of the face it must hold."""
    face = _hull_mask(landmarks_px, len(person))
    seen, whole = np.count_nonzero(person & face), np.count_nonzero(face)
    return bool(whole) and bool(seen / whole >= FACE_SEEN)


def _grabcut_start(points: NDArray[np.float32], side: int) -> NDArray[np.uint8]:
    """`(side, side)` labels from a face's points: sure face and neck, likely head and shoulders."""
    centre, width = points[:68].mean(axis=0), float(np.ptp(points[:17, 0]))
    chin_y, shoulders_y = points[8, 1], points[:68, 1].max() + 0.3 * width

    def below(y: float, top: float, bottom: float) -> _Mask:
        corners = [(-top, y), (top, y), (bottom, side), (-bottom, side)]
        return _hull_mask(np.array([[centre[0] + dx * width, y] for dx, y in corners]), side)

    head = _hull_mask(centre + (points - centre) * 1.5, side)
    labels = np.full((side, side), cv2.GC_PR_BGD, np.uint8)
    labels[head | below(shoulders_y, 0.5, 2.2)] = cv2.GC_PR_FGD
    labels[_hull_mask(points, side) | below(chin_y, 0.2, 0.5)] = cv2.GC_FGD
    margin = side // 32
    for edge in (np.s_[:margin], np.s_[:, :margin], np.s_[:, -margin:]):
        labels[edge][labels[edge] == cv2.GC_PR_BGD] = cv2.GC_BGD
    return labels


def grabcut_person(image: NDArray[np.uint8], landmarks_px: _Landmarks) -> _Mask:
    """The person by colour, begun from the landmarks: slower and less sure than the segmenter
    (IoU with the official samples 0.83, 0.96, 0.78; 0.1–0.3 s).

    Source: Rother, Kolmogorov, Blake, "GrabCut", SIGGRAPH 2004 (OpenCV's).
    """
    size, side = len(image), SEGMENTER_SIZE
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    labels = _grabcut_start(_face_points(landmarks_px) * np.float32(side / size), side)
    cv2.setRNGSeed(0)  # its colour clusters start at random
    cv2.grabCut(
        cv2.cvtColor(small, cv2.COLOR_RGB2BGR),
        labels,
        (0, 0, 0, 0),
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        GRABCUT_ROUNDS,
        cv2.GC_INIT_WITH_MASK,
    )
    person = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    return cv2.resize(person, (size, size), interpolation=cv2.INTER_NEAREST).astype(bool)


def paste_weight(deltas: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of an edit is pasted, by the length of its delta: 0 at 0, 1 from `FULL_STRENGTH` on.

    However small a delta is, the model redraws the face, and its own errors are as large as for a
    big one: pasted whole they would pop in where a curve leaves 0.

    Args:
        deltas: `(N, 12)`.
    Returns:
        `(N,)` float32, smooth (its slope is 0 at both ends).
    """
    weight = smoothstep(np.linalg.norm(deltas.astype(np.float64), axis=1), high=FULL_STRENGTH)
    return np.where(weight < LEAST_WEIGHT, 0.0, weight).astype(np.float32)


def paste_mask(landmarks_px: _Landmarks, size: int) -> NDArray[np.float32]:
    """Where an edit may change the crop: the face with room for a dropping jaw, feathered.

    Returns:
        `(S, S)` float32: 1 on the face, 0 on the crop's border, no value between 0 and 1/512.
    """
    up = _upward(landmarks_px)
    dropped = landmarks_px[4:13] - 0.4 * up
    face = _hull_mask(np.concatenate([_face_points(landmarks_px), dropped]), size)
    feather = max(1.0, 0.04 * float(np.ptp(landmarks_px[:17, 0])))
    left, right = _within(_widened(face, 2 * round(2 * feather) + 1), round(3 * feather))
    soft = np.zeros((size, size), np.float32)
    held = np.flatnonzero(left <= right)
    if not len(held):
        return soft
    # Only what anything can reach, with room for the blur's whole kernel.
    by = math.ceil(5 * feather)
    rows = slice(max(0, int(held[0]) - by), int(held[-1]) + by + 1)
    columns = slice(max(0, int(left[held].min()) - by), min(size, int(right[held].max()) + by + 1))
    grown = _filled(left[rows], right[rows], np.arange(columns.start, columns.stop))
    blurred = cv2.GaussianBlur(grown, (0, 0), feather, borderType=cv2.BORDER_CONSTANT)
    part = np.minimum(blurred, np.float32(1.0), out=soft[rows, columns])
    part[part < LEAST_WEIGHT] = 0.0
    soft[[0, -1]] = soft[:, [0, -1]] = 0.0
    return soft


_Runs = tuple[NDArray[np.intp], NDArray[np.intp]]
"""`(S,)` first and last column of each row's one run of pixels, last before first where none is."""


def _widened(hull: _Mask, reach: int) -> _Runs:
    """Of a hull dilated by an ellipse so many pixels wide.

    Every row of a hull is one run, and so is every row of the ellipse: runs are widened and joined
    instead of pixels.
    """
    size = len(hull)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)).astype(bool)
    first, last = _runs(hull)
    left, right = np.full((2, size), [[size], [-1]])
    for shift, width in enumerate(element.sum(axis=1) // 2, -(reach // 2)):
        to = slice(max(0, -shift), size - max(0, shift))
        of = slice(max(0, shift), size - max(0, -shift))
        left[to] = np.minimum(left[to], first[of] - width)
        right[to] = np.maximum(right[to], last[of] + width)
    return left, right


def _within(runs: _Runs, margin: int) -> _Runs:
    """What of them lies so many pixels from the border."""
    size, (left, right) = len(runs[0]), runs
    left, right = np.maximum(left, margin), np.minimum(right, size - 1 - margin)
    left[:margin] = left[size - margin :] = size
    return left, right


def _filled(
    left: NDArray[np.intp], right: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.float32]:
    """`(R, C)` 1 in the rows' runs, else 0."""
    narrow = np.int16  # a crop's side fits, and a comparison of these takes a quarter
    across, first, last = (a.astype(narrow) for a in (columns, left[:, None], right[:, None]))
    return ((across >= first) & (across <= last)).astype(np.float32)


def _runs(hull: _Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """`(S,)` first and last column of each row; beyond all reach where it has none."""
    far, some = 4 * len(hull), hull.any(axis=1)
    first = np.where(some, hull.argmax(axis=1), far)
    last = np.where(some, len(hull) - 1 - hull[:, ::-1].argmax(axis=1), -far)
    return first, last
