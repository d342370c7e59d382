"""A face in its own frame, and how far each of its points goes for a delta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.editors.previz_units import (
    MIRROR,
    OUTWARD,
    POINTS,
    UNIT_FIELD,
    UPPER_LIP,
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
_EYE_PAIRS = (np.array([(37, 41), (38, 40)]), np.array([(43, 47), (44, 46)]))
_BROW_LID = np.array([(17, 36), (18, 37), (19, 37), (20, 38), (21, 39)])
_LIPS_MIN, _LIDS_MIN = 0.016, 0.012


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
    """`(74, 2)` face units: the landmarks, lips and lids at least a little apart, and the six."""
    points = np.zeros((POINTS, 2))
    points[:68] = frame.from_px(np.asarray(landmarks_px, np.float64))
    _separate(points, _LIP_PAIRS, _LIPS_MIN)
    for pairs in _EYE_PAIRS:
        _separate(points, pairs, _LIDS_MIN)
    for side in (slice(None), MIRROR):
        of = points[side]
        lid = (of[40] + of[41]) / 2
        points[_own(68, side)] = 0.4 * lid + 0.35 * of[48] + 0.25 * of[2]
        points[_own(70, side)] = 0.5 * of[31] + 0.5 * of[48]
        points[_own(72, side)] = of[20] - [0.0, 0.3]
    return points


def _own(point: int, side: slice | NDArray[np.intp]) -> int:
    return point if isinstance(side, slice) else int(side[point])


def _separate(points: NDArray[np.float64], pairs: NDArray[np.intp], least: float) -> None:
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
        points: `(74, 2)` from `control_points`.
        delta: `(12,)` in AU_ORDER.
        size: side of the crop, pixels; no point leaves it.

    Returns:
        `(74, 2)` face units, x to the image right along the eye line, y down the face.
    """
    units = effective_units(delta)
    _limit_lip_closing(points, units)
    moved = np.tensordot(units, UNIT_FIELD, axes=1)
    moved[:, 0] *= OUTWARD
    _limit_lids(points, moved)
    _limit_brows(points, moved)
    _press_lips(points, moved)
    _limit_corners(points, moved)
    # A turned head shows sideways movement shorter, and more of it on the side it shows.
    near = np.clip(1.0 - OUTWARD * _CHEEK_DEPTH * frame.tan_yaw, 0.2, 1.8)
    moved[:, 0] *= near / np.hypot(1.0, frame.tan_yaw)
    return _inside_crop(frame, points, moved, size)


def _knee(value: NDArray[np.floating] | float, limit: NDArray[np.floating] | float):
    """Itself up to 0.6 of the limit, then smoothly less, never beyond the limit."""
    start = 0.6 * np.asarray(limit)
    room = np.maximum(np.asarray(limit) - start, 1e-9)
    return np.where(value > start, start + room * np.tanh((value - start) / room), value)


def _inside_crop(
    frame: FaceFrame, points: NDArray[np.float64], moved: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """No point goes further than 0.6 of its way to the crop's border: the chin is often near it."""
    at_px = frame.to_px(points)
    step_px = moved @ frame.axes * frame.unit_px
    ahead = np.where(step_px > 0.0, size - 1.0 - at_px, at_px)
    held_px = np.sign(step_px) * _knee(np.abs(step_px), 0.6 * np.maximum(ahead, 0.0))
    return held_px @ frame.axes.T / frame.unit_px


def _limit_lip_closing(points: NDArray[np.float64], units: NDArray[np.float64]) -> None:
    """Negative AU25 and AU26 close what is open, then only press: teeth stop the jaw."""
    gap = (points[_LIP_PAIRS[:, 1], 1] - points[_LIP_PAIRS[:, 0], 1]).mean()
    closing = [AU_COLUMN[25], AU_COLUMN[26]]
    asked = float(np.maximum(-units[closing], 0.0) @ [0.014, 0.019])
    if asked > 0.0:
        share = float(_knee(asked, 0.8 * gap + 0.01)) / asked
        units[closing] = np.where(units[closing] < 0.0, units[closing] * share, units[closing])


def _limit_lids(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """Lids meet but never pass; a shut eye is not pulled open, for there is no eye to show."""
    for pairs in _EYE_PAIRS:
        upper, lower = pairs[:, 0], pairs[:, 1]
        opening = float((points[lower, 1] - points[upper, 1]).mean())
        closing = float((moved[upper, 1] - moved[lower, 1]).mean())
        if closing > 0.0:
            share = float(_knee(closing, 0.75 * opening)) / closing
        else:
            share = float(_smoothstep(0.02, 0.045, opening))
        moved[pairs, 1] *= share


def _limit_brows(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """A lowered brow keeps two fifths of its way to the lid."""
    for pairs in (_BROW_LID, MIRROR[_BROW_LID]):
        brow, lid = pairs[:, 0], pairs[:, 1]
        room = np.maximum(points[lid, 1] - points[brow, 1], 0.0)
        moved[brow, 1] = moved[lid, 1] + _knee(moved[brow, 1] - moved[lid, 1], 0.6 * room)


def _press_lips(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """A lower lip that meets the upper lip pushes it up."""
    upper, lower = _LIP_PAIRS[:, 0], _LIP_PAIRS[:, 1]
    gap = float((points[lower, 1] - points[upper, 1]).mean())
    closing = float((moved[upper, 1] - moved[lower, 1]).mean())
    excess = closing - float(_knee(closing, 0.8 * gap))
    for point, weight in UPPER_LIP.items():
        for twin in {point, int(MIRROR[point])}:
            moved[twin, 1] -= weight * excess


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
_MOUTH[[*range(48, 68), 70, 71]] = True


def _smoothstep(low: float, high: float, value: NDArray[np.floating] | float):
    t = np.clip((np.asarray(value) - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
