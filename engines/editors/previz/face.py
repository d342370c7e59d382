"""A face in its own frame, and how far each of its points goes for a delta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.editors.previz.units import (
    BROWS,
    CHEEK,
    FOREHEAD,
    LOWER_INNER,
    LOWER_LIP,
    MIRROR,
    NASOLABIAL,
    OUTWARD,
    POINTS,
    UNDER_BROWS,
    UNIT_FIELD,
    UPPER_INNER,
    UPPER_LIP,
    Weights,
    effective_units,
)
from engines.errors import EngineError
from keyframes.au import AU_COLUMN

EYES_MIN_PX = 8.0
_NOSE_DEPTH = (
    0.496  # tip before the outer eye corners, in their distance (MediaPipe's canonical face)
)
_TAN_YAW_MAX = 1.5
_CHEEK_DEPTH = 0.6  # how fast the cheek recedes beside the mouth
_LIP_PAIRS = np.array([(61, 67), (62, 66), (63, 65)])
_INNER_LIPS = np.column_stack([UPPER_INNER, LOWER_INNER])
_EYE_PAIRS = (np.array([(37, 41), (38, 40)]), np.array([(43, 47), (44, 46)]))
_BROW_LID = np.array([(17, 36), (18, 37), (19, 37), (20, 38), (21, 39)])
_LIPS_MIN, _LIDS_MIN = 0.016, 0.012
_LOWER_BULGE = 0.18  # of the lower inner lip between corner and middle, part of its sag
_SHUT, _OPEN = 0.02, 0.07  # lips touch; what is behind them shows


@dataclass(frozen=True)
class FaceFrame:
    """The face's own axes in a crop: origin between the outer eye corners, x along the eye line.

    Attributes:
        origin_px: `(2,)` float64, crop pixels.
        axes: `(2, 2)` float64, rows: unit vectors along the eye line and down the face.
        unit_px: outer-eye distance of the face seen from the front; all lengths are in it.
        tan_yaw: tangent of the yaw, from the nose tip's offset; > 0 turns to the viewer's right.
    """

    origin_px: NDArray[np.float64]
    axes: NDArray[np.float64]
    unit_px: float
    tan_yaw: float

    def from_px(self, points_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """`(..., 2)` crop pixels → face units."""
        return (points_px - self.origin_px) @ self.axes.T / self.unit_px

    def to_px(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(..., 2)` face units → crop pixels."""
        return points @ self.axes * self.unit_px + self.origin_px


def face_frame(landmarks_px: NDArray[np.floating]) -> FaceFrame:
    """The frame of one face.

    Args:
        landmarks_px: `(68, 2)` crop pixels.

    Raises:
        EngineError: points that are not finite, or outer eye corners closer than 8 px.
    """
    points = np.asarray(landmarks_px, np.float64)
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points).all(axis=1)).sum())
        raise EngineError(f"editor 'previz': got {bad} landmarks not finite; expected 68 points")
    eye_line = points[45] - points[36]
    distance = float(np.hypot(*eye_line))
    if distance < EYES_MIN_PX:
        raise EngineError(
            f"editor 'previz': got outer eye corners {distance:.1f} px apart; "
            f"expected at least {EYES_MIN_PX:g} px"
        )
    along = eye_line / distance
    origin = (points[36] + points[45]) / 2
    nose = float((points[30] - origin) @ along) / distance
    tan_yaw = float(np.clip(nose / _NOSE_DEPTH, -_TAN_YAW_MAX, _TAN_YAW_MAX))
    axes = np.array([along, [-along[1], along[0]]])
    return FaceFrame(origin, axes, distance * float(np.hypot(1.0, tan_yaw)), tan_yaw)


def control_points(frame: FaceFrame, landmarks_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """`(88, 2)` face units: the landmarks, lips and lids at least a little apart, and our own."""
    points = np.zeros((POINTS, 2))
    points[:68] = frame.from_px(np.asarray(landmarks_px, np.float64))
    for pairs in _EYE_PAIRS:
        _separate(points, pairs, _LIDS_MIN)
    for side in (np.arange(POINTS), MIRROR):
        of = points[side]
        points[side[CHEEK]] = 0.2 * (of[40] + of[41]) + 0.35 * of[48] + 0.25 * of[2]
        points[side[NASOLABIAL]] = 0.5 * of[31] + 0.5 * of[48]
        lid = of[_BROW_LID[:, 1]]
        points[side[UNDER_BROWS][:5]] = 0.7 * of[_BROW_LID[:, 0]] + 0.3 * lid
        points[side[FOREHEAD]] = of[20] - [0.0, 0.3]
        points[side[UPPER_INNER[0]]] = 0.5 * of[60] + 0.5 * of[61]
        points[side[LOWER_INNER[0]]] = 0.5 * of[60] + 0.5 * of[67]
        points[side[LOWER_INNER[0]], 1] += _LOWER_BULGE * (of[67, 1] - of[60, 1])
    _separate(points, _INNER_LIPS, _LIPS_MIN)
    return points


def _separate(
    points: NDArray[np.float64], pairs: NDArray[np.intp], least: NDArray[np.float64] | float
) -> None:
    upper, lower = points[pairs[:, 0], 1], points[pairs[:, 1], 1]
    short = np.maximum(least - (lower - upper), 0.0) / 2
    points[pairs[:, 0], 1] = upper - short
    points[pairs[:, 1], 1] = lower + short


def displacements(
    frame: FaceFrame, points: NDArray[np.float64], delta: NDArray[np.floating], size: int
) -> NDArray[np.float64]:
    """How far each control point goes.

    Args:
        frame: the face's frame.
        points: `(88, 2)` from `control_points`.
        delta: `(12,)` in AU_ORDER.
        size: side of the crop, pixels; no point leaves it.

    Returns:
        `(88, 2)` face units, x to the image right along the eye line, y down the face.
    """
    units = effective_units(delta)
    _limit_lip_closing(points, units)
    moved = np.tensordot(units, UNIT_FIELD, axes=1)
    moved[:, 0] *= OUTWARD
    _limit_lids(points, moved)
    _limit_brows(points, moved)
    moved[UNDER_BROWS] = moved[BROWS]
    _seal_lips(points, moved, units)
    _press_lips(points, moved)
    _limit_corners(points, moved)
    # A turned head shows sideways movement shorter, and more of it on the side it shows.
    near = np.clip(1.0 - OUTWARD * _CHEEK_DEPTH * frame.tan_yaw, 0.2, 1.8)
    moved[:, 0] *= near / np.hypot(1.0, frame.tan_yaw)
    return _inside_crop(frame, points, moved, size)


def _knee(value: NDArray[np.floating] | float, limit: NDArray[np.floating] | float):
    """Itself up to 0.6 of the limit, then smoothly less, never beyond the limit."""
    most = np.maximum(limit, 1e-9)
    start = 0.6 * most
    room = most - start
    return np.where(value > start, start + room * np.tanh((value - start) / room), value)


def _inside_crop(
    frame: FaceFrame, points: NDArray[np.float64], moved: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """No point goes further than 0.6 of its way to the crop's border; the jaw keeps its shape."""
    at_px = frame.to_px(points)
    step_px = moved @ frame.axes * frame.unit_px
    ahead = np.where(step_px > 0.0, size - 1.0 - at_px, at_px)
    length = np.abs(step_px)
    share = _knee(length, 0.6 * np.maximum(ahead, 0.0)) / np.maximum(length, 1e-9)
    share = np.where(length > 1e-9, share, 1.0)
    share[:17] = share[:17].min()
    return (step_px * share) @ frame.axes.T / frame.unit_px


def _lip_gap(points: NDArray[np.float64]) -> float:
    return float((points[_LIP_PAIRS[:, 1], 1] - points[_LIP_PAIRS[:, 0], 1]).mean())


def _limit_lip_closing(points: NDArray[np.float64], units: NDArray[np.float64]) -> None:
    """Negative AU25 and AU26 close what is open, and no more: teeth stop the jaw."""
    closing = [AU_COLUMN[25], AU_COLUMN[26]]
    asked = float(np.maximum(-units[closing], 0.0) @ [0.014, 0.019])
    if asked > 0.0:
        share = float(_knee(asked, 0.85 * (_lip_gap(points) - _LIPS_MIN))) / asked
        units[closing] = np.where(units[closing] < 0.0, units[closing] * share, units[closing])


def _seal_lips(
    points: NDArray[np.float64], moved: NDArray[np.float64], units: NDArray[np.float64]
) -> None:
    """Shut lips part for AU25 and AU26 alone: a raised upper lip takes the lower one with it."""
    parted = np.maximum(units[[AU_COLUMN[25], AU_COLUMN[26]]], 0.0) @ [0.014, 0.019]
    opening = -float((moved[_LIP_PAIRS[:, 0], 1] - moved[_LIP_PAIRS[:, 1], 1]).mean())
    sealed = 1.0 - float(_smoothstep(_SHUT, _OPEN, _lip_gap(points)))
    _shift(moved, LOWER_LIP, -sealed * max(opening - float(parted), 0.0))


def _press_lips(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """A lower lip that meets the upper lip pushes it up."""
    closing = float((moved[_LIP_PAIRS[:, 0], 1] - moved[_LIP_PAIRS[:, 1], 1]).mean())
    excess = closing - float(_knee(closing, 0.85 * (_lip_gap(points) - _LIPS_MIN)))
    _shift(moved, UPPER_LIP, -excess)


def _shift(moved: NDArray[np.float64], weights: Weights, down: float) -> None:
    for point, weight in weights.items():
        for twin in {point, int(MIRROR[point])}:
            moved[twin, 1] += weight * down


def torn_lips(points: NDArray[np.float64], moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """The control points, shut lips apart by a part of what they open: the mouth hides the rest.

    A map that tears one line into an opening would fold beside it.
    """
    upper, lower = _INNER_LIPS[:, 0], _INNER_LIPS[:, 1]
    opening = moved[lower, 1] - moved[upper, 1]
    apart = points.copy()
    _separate(apart, _INNER_LIPS, np.maximum(_LIPS_MIN, 0.2 * opening))
    return apart


def _limit_lids(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """Lids meet but never pass; a shut eye is not pulled open, for there is no eye to show."""
    for pairs in _EYE_PAIRS:
        upper, lower = pairs[:, 0], pairs[:, 1]
        opening = float((points[lower, 1] - points[upper, 1]).mean())
        closing = float((moved[upper, 1] - moved[lower, 1]).mean())
        if closing > 0.0:
            share = float(_knee(closing, 0.8 * (opening - _LIDS_MIN))) / closing
        else:
            share = float(_smoothstep(0.02, 0.045, opening))
        moved[pairs, 1] *= share


def _limit_brows(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """A lowered brow keeps half of its way to the lid, and its shape."""
    for pairs in (_BROW_LID, MIRROR[_BROW_LID]):
        brow, lid = pairs[:, 0], pairs[:, 1]
        room = np.maximum(points[lid, 1] - points[brow, 1], 0.0)
        down, lid_down = moved[brow, 1], moved[lid, 1]
        given = lid_down + _knee(down - lid_down, 0.5 * room)
        lowered = down > 1e-9
        if lowered.any():
            share = float(np.clip(given[lowered] / down[lowered], 0.0, 1.0).min())
            moved[brow, 1] = np.where(lowered, down * share, down)


def _limit_corners(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """The mouth narrows to half its width at most, and a corner goes half the way to the jaw."""
    middle = (points[51, 0] + points[57, 0]) / 2
    for corner, jaw in ((48, np.arange(1, 8)), (54, np.arange(15, 8, -1))):
        sign = OUTWARD[corner]
        half_width = max(sign * (points[corner, 0] - middle), 0.0)
        edge = np.interp(points[corner, 1], points[jaw, 1], sign * points[jaw, 0])
        room = max(float(edge) - sign * points[corner, 0], 0.0)
        asked = sign * moved[corner, 0]
        if asked == 0.0:
            continue
        given = _knee(asked, 0.6 * room) if asked > 0.0 else -_knee(-asked, 0.5 * half_width)
        moved[_MOUTH & (sign == OUTWARD), 0] *= float(given) / asked


_MOUTH = np.zeros(POINTS, bool)
_MOUTH[[*range(48, 68), NASOLABIAL, NASOLABIAL + 1, *UPPER_INNER, *LOWER_INNER]] = True


def _smoothstep(low: float, high: float, value: NDArray[np.floating] | float):
    t = np.clip((np.asarray(value) - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
