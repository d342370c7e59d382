"""A face in its own frame, and how far each of its points goes for a delta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.limits import knee, limited, separate
from engines.editors.rig.points import (
    CONTOURS,
    LOWER_INNER,
    POINTS,
    SKIN,
    UNDER_BROWS,
    UPPER_INNER,
    place_skin,
)
from engines.editors.rig.units import effective_units, unit_field
from engines.errors import EngineError
from engines.faces.head_pose import rotation_from_angles
from keyframes.au import LID_NAMES
from keyframes.curves.easing import smoothstep

EYES_MIN_PX = 8.0
_NOSE_DEPTH = (
    0.496  # tip before the outer eye corners, in their distance (MediaPipe's canonical face)
)
_TAN_YAW_MAX = 1.5
_YAW_MAX, _PITCH_MAX = 60.0, 45.0  # beyond, what a tracker says of a face is a guess
_INNER_LIPS = np.column_stack([UPPER_INNER, LOWER_INNER])
_EYE_PAIRS = np.array([(37, 41), (38, 40), (43, 47), (44, 46)])
_BROW_LID = ((17, 36), (18, 37), (19, 37), (20, 38), (21, 39))
_BROW_LIDS = np.array([*_BROW_LID, *((43 - brow, 81 - lid) for brow, lid in _BROW_LID[::-1])])
_LIPS_MIN, _LIDS_MIN = 0.016, 0.012
_BEYOND = 0.03  # of a cheek, from its outermost skin points to where it ends
_AT_ENDS = (-0.15, 0.05)  # above and below the cheek's points it goes over into the jaw's own
_LOWER_BULGE = 0.18  # of the lower inner lip between corner and middle, part of its sag


@dataclass(frozen=True)
class FaceFrame:
    """The face's own axes in a crop: origin between the outer eye corners, x along the eye line.

    Attributes:
        origin_px: `(2,)` float64, crop pixels.
        axes: `(2, 2)` float64, rows: unit vectors along the eye line and down the face.
        unit_px: outer-eye distance of the face seen from the front; all lengths are in it.
        seen: `(3, 2)` float64: what a step along the head's axes (x to the viewer's right, y up, z
            to the viewer) is in this frame.
    """

    origin_px: NDArray[np.float64]
    axes: NDArray[np.float64]
    unit_px: float
    seen: NDArray[np.float64]

    def from_px(self, points_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """`(..., 2)` crop pixels → face units."""
        return (points_px - self.origin_px) @ self.axes.T / self.unit_px

    def to_px(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(..., 2)` face units → crop pixels."""
        return points @ self.axes * self.unit_px + self.origin_px


def face_frame(
    landmarks_px: NDArray[np.floating], pose: NDArray[np.floating] | None = None
) -> FaceFrame:
    """The frame of one face.

    Args:
        landmarks_px: `(68, 2)` crop pixels.
        pose: `(3,)` yaw, pitch, roll in degrees as in engines/interface.py; without one, or NaN,
            the yaw is read off the nose's tip, and the head nods neither way.

    Raises:
        EngineError: points that are not finite, or outer eye corners closer than 8 px.
    """
    points = np.asarray(landmarks_px, np.float64)
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points).all(axis=1)).sum())
        raise EngineError(f"face rig: got {bad} landmarks not finite; expected 68 points")
    eye_line = points[45] - points[36]
    distance = float(np.hypot(*eye_line))
    if distance < EYES_MIN_PX:
        raise EngineError(
            f"face rig: got outer eye corners {distance:.1f} px apart; "
            f"expected at least {EYES_MIN_PX:g} px"
        )
    along = eye_line / distance
    origin = (points[36] + points[45]) / 2
    axes = np.array([along, [-along[1], along[0]]])
    if pose is None or not np.isfinite(pose).all():
        tilt = float(np.degrees(np.arctan2(along[1], along[0])))
        angles = (_yaw_of_nose(float((points[30] - origin) @ along) / distance), 0.0, tilt)
    else:
        yaw, pitch, roll = (float(angle) for angle in pose)
        angles = np.clip(yaw, -_YAW_MAX, _YAW_MAX), np.clip(pitch, -_PITCH_MAX, _PITCH_MAX), roll
    camera = rotation_from_angles(*angles)
    shortened = float(np.hypot(*camera[:2, 0]))
    seen = (camera[:2] * [[1.0], [-1.0]]).T @ axes.T  # the picture's y points down
    return FaceFrame(origin, axes, distance / shortened, seen)


def _yaw_of_nose(offset: float) -> float:
    """Degrees, > 0 to the viewer's right, of a nose tip that far off the eyes' middle."""
    return float(np.degrees(np.arctan(np.clip(offset / _NOSE_DEPTH, -_TAN_YAW_MAX, _TAN_YAW_MAX))))


def control_points(frame: FaceFrame, landmarks_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """`(P, 2)` face units: the landmarks, lips and lids at least a little apart, and the skin."""
    points = np.zeros((POINTS, 2))
    points[:68] = frame.from_px(np.asarray(landmarks_px, np.float64))
    points[SKIN] = place_skin(frame.seen, points[:68])
    _show_contour(points)
    separate(points, _EYE_PAIRS, _LIDS_MIN)
    for corner, inner, upper, lower in ((60, (61, 67), 68, 70), (64, (63, 65), 69, 71)):
        points[[upper, lower]] = 0.5 * points[corner] + 0.5 * points[list(inner)]
        points[lower, 1] += _LOWER_BULGE * (points[inner[1], 1] - points[corner, 1])
    brow, lid = _BROW_LIDS.T
    points[UNDER_BROWS] = 0.7 * points[brow] + 0.3 * points[lid]
    separate(points, _INNER_LIPS, _LIPS_MIN)
    return points


def _show_contour(points: NDArray[np.float64]) -> None:
    """Moves jaw points that a turned head hides behind its cheek out to its edge, in place."""
    for jaw, edge, sign in ((slice(0, 8), CONTOURS[0], -1.0), (slice(9, 17), CONTOURS[1], 1.0)):
        down, y = np.maximum.accumulate(points[edge, 1]), points[jaw, 1]
        cheek = np.interp(y, down, sign * points[edge, 0]) + _BEYOND
        beside = smoothstep(y - down[0], *_AT_ENDS) * smoothstep(down[-1] - y, *_AT_ENDS)
        points[jaw, 0] += sign * beside * np.maximum(cheek - sign * points[jaw, 0], 0.0)


def displacements(
    frame: FaceFrame,
    points: NDArray[np.float64],
    delta: NDArray[np.floating],
    size: int,
    lids: NDArray[np.floating] | None = None,
    field: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """How far each control point goes.

    Args:
        frame: the face's frame.
        points: `(P, 2)` from `control_points`.
        delta: `(12,)` in AU_ORDER.
        size: side of the crop, pixels; no point leaves it.
        lids: `(2,)` at most 0, in the order of LID_NAMES: how far eyes are opened; what shuts
            them is a layer of its own (lids.py).
        field: `(14, P, 3)` the person's own units (person.py); without, the rig's.

    Returns:
        `(P, 2)` face units, x to the image right along the eye line, y down the face.
    """
    shut = np.zeros(len(LID_NAMES)) if lids is None else np.asarray(lids, np.float64)
    units = np.concatenate([effective_units(delta), shut])
    moved = limited(frame.seen, points, units, unit_field() if field is None else field)
    return _inside_crop(frame, points, moved, size)


def moved_landmarks(
    landmarks_px: NDArray[np.floating],
    pose: NDArray[np.floating] | None,
    delta: NDArray[np.floating],
    size: int,
) -> NDArray[np.float32]:
    """`(68, 2)` crop pixels: where the rig takes the landmarks for a `(12,)` delta.

    Raises:
        EngineError: as `face_frame`.
    """
    frame = face_frame(landmarks_px, pose)
    points = control_points(frame, landmarks_px)
    moved = displacements(frame, points, delta, size)[:68]
    return (landmarks_px + moved @ frame.axes * frame.unit_px).astype(np.float32)


def _inside_crop(
    frame: FaceFrame, points: NDArray[np.float64], moved: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """No point goes further than 0.6 of its way to the crop's border; the jaw keeps its shape."""
    at_px = frame.to_px(points)
    step_px = moved @ frame.axes * frame.unit_px
    ahead = np.where(step_px > 0.0, size - 1.0 - at_px, at_px)
    length = np.abs(step_px)
    share = knee(length, 0.6 * np.maximum(ahead, 0.0)) / np.maximum(length, 1e-9)
    share = np.where(length > 1e-9, share, 1.0)
    share[:17] = share[:17].min()
    return (step_px * share) @ frame.axes.T / frame.unit_px


def torn_lips(points: NDArray[np.float64], moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """The control points, shut lips apart by a part of what they open: the mouth hides the rest.

    A map that tears one line into an opening would fold beside it.
    """
    upper, lower = _INNER_LIPS[:, 0], _INNER_LIPS[:, 1]
    opening = moved[lower, 1] - moved[upper, 1]
    apart = points.copy()
    separate(apart, _INNER_LIPS, np.maximum(_LIPS_MIN, 0.2 * opening))
    return apart
