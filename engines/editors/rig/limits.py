"""What a face cannot do, whatever is asked: lips and lids that pass each other, brows on the eyes.

All of it in the face's frame, as seen: x along the eye line, y down, outer-eye distances.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.points import (
    BROWS,
    MIRROR,
    POINTS,
    SKIN,
    SKIN_MESH,
    UNDER_BROWS,
)
from engines.editors.rig.units import lips_opening
from keyframes.au import AU_COLUMN
from keyframes.curves.easing import smoothstep

_LIP_PAIRS = np.array([(61, 67), (62, 66), (63, 65)])
_EYE_PAIRS = (np.array([(37, 41), (38, 40)]), np.array([(43, 47), (44, 46)]))
_BROW_LID = np.array([(17, 36), (18, 37), (19, 37), (20, 38), (21, 39)])
_LIPS_MIN, _LIDS_MIN = 0.016, 0.012
_SHUT, _OPEN = 0.02, 0.07  # lips touch; what is behind them shows
_PARTING = [AU_COLUMN[25], AU_COLUMN[26]]
_CONTOUR = np.r_[1:7, 10:16]  # of the jaw, without the chin
_REACH, _HOLD = 0.09, 0.3
"""How near skin is to the contour that slides, and how much of it holds half of it."""
_UPPER_LIP = {49: 0.6, 50: 1.0, 51: 1.0, 52: 1.0, 53: 0.6}
_LOWER_LIP = {59: 0.75, 58: 1.0, 57: 1.0, 56: 1.0, 55: 0.75}
_INNER = {68: 0.67, 61: 0.96, 62: 1.0, 63: 0.96, 69: 0.67}
_INNER_LOW = {70: 0.7, 67: 0.97, 66: 1.0, 65: 0.97, 71: 0.7}


def limited(
    seen: NDArray[np.float64],
    points: NDArray[np.float64],
    units: NDArray[np.float64],
    field: NDArray[np.float64],
) -> NDArray[np.float64]:
    """`(P, 2)` displacement of the points as far as the face at hand can go.

    Args:
        seen: `(3, 2)` what a step along the head's axes is in the face's frame.
        points: `(P, 2)` where they are.
        units: `(14,)` in the field's order.
        field: `(14, P, 3)` per unit, the head's axes.
    """
    units = _lip_closing(points, units)
    moved = np.tensordot(units, field, axes=1) @ seen
    _limit_lids(points, moved)
    _limit_brows(points, moved)
    moved[UNDER_BROWS] = moved[BROWS]
    _seal_lips(points, moved, units)
    _press_lips(points, moved)
    _limit_outward(points, moved)
    _limit_narrowing(points, moved)
    _slide_contour(points, moved)
    return moved


def separate(
    points: NDArray[np.float64], pairs: NDArray[np.intp], least: NDArray[np.float64] | float
) -> None:
    """Moves upper and lower points of pairs apart, in place, where they are closer than `least`."""
    upper, lower = points[pairs[:, 0], 1], points[pairs[:, 1], 1]
    short = np.maximum(least - (lower - upper), 0.0) / 2
    points[pairs[:, 0], 1] = upper - short
    points[pairs[:, 1], 1] = lower + short


def knee(value: NDArray[np.floating] | float, limit: NDArray[np.floating] | float):
    """Itself up to 0.6 of the limit, then smoothly less, never beyond the limit."""
    most = np.maximum(limit, 1e-9)
    start = 0.6 * most
    room = most - start
    return np.where(value > start, start + room * np.tanh((value - start) / room), value)


def _lip_gap(points: NDArray[np.float64]) -> float:
    return float((points[_LIP_PAIRS[:, 1], 1] - points[_LIP_PAIRS[:, 0], 1]).mean())


def _lip_closing(points: NDArray[np.float64], units: NDArray[np.float64]) -> NDArray[np.float64]:
    """Negative AU25 and AU26 close what is open, and no more: teeth stop the jaw."""
    closing = np.minimum(units[_PARTING], 0.0)
    asked = float(-closing @ lips_opening()[_PARTING])
    if asked <= 0.0:
        return units
    share = float(knee(asked, 0.85 * (_lip_gap(points) - _LIPS_MIN))) / asked
    held = units.copy()
    held[_PARTING] = np.where(closing < 0.0, closing * share, units[_PARTING])
    return held


def _opening(moved: NDArray[np.float64]) -> float:
    return float((moved[_LIP_PAIRS[:, 1], 1] - moved[_LIP_PAIRS[:, 0], 1]).mean())


def _seal_lips(
    points: NDArray[np.float64], moved: NDArray[np.float64], units: NDArray[np.float64]
) -> None:
    """Shut lips part for AU25 and AU26 alone: a raised upper lip takes the lower one with it."""
    parted = float(np.maximum(units[_PARTING], 0.0) @ lips_opening()[_PARTING])
    sealed = 1.0 - float(smoothstep(_lip_gap(points), _SHUT, _OPEN))
    _shift(moved, {**_LOWER_LIP, **_INNER_LOW}, -sealed * max(_opening(moved) - parted, 0.0))


def _press_lips(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """Lips that meet press on each other: each gives half of what there is no room for."""
    closing = -_opening(moved)
    excess = closing - float(knee(closing, 0.85 * (_lip_gap(points) - _LIPS_MIN)))
    _shift(moved, _INNER, -excess / 2)
    _shift(moved, _UPPER_LIP, -excess / 4)
    _shift(moved, _INNER_LOW, excess / 2)


def _shift(moved: NDArray[np.float64], weights: dict[int, float], down: float) -> None:
    moved[list(weights), 1] += np.array(list(weights.values())) * down


def _limit_lids(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """Lids meet but never pass; a shut eye is not pulled open, for there is no eye to show."""
    for pairs in _EYE_PAIRS:
        upper, lower = pairs[:, 0], pairs[:, 1]
        opening = float((points[lower, 1] - points[upper, 1]).mean())
        closing = float((moved[upper, 1] - moved[lower, 1]).mean())
        if closing > 0.0:
            share = float(knee(closing, opening - _LIDS_MIN)) / closing
        else:
            share = float(smoothstep(opening, 0.02, 0.045))
        moved[pairs, 1] *= share


def _limit_brows(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """A lowered brow keeps a quarter of its way to the lid, and its shape."""
    for pairs in (_BROW_LID, MIRROR[_BROW_LID]):
        brow, lid = pairs[:, 0], pairs[:, 1]
        room = np.maximum(points[lid, 1] - points[brow, 1], 0.0)
        down, lid_down = moved[brow, 1], moved[lid, 1]
        given = lid_down + knee(down - lid_down, 0.75 * room)
        lowered = down > 1e-9
        if lowered.any():
            share = float(np.clip(given[lowered] / down[lowered], 0.0, 1.0).min())
            moved[brow, 1] = np.where(lowered, down * share, down)


def _limit_outward(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """What moves outward stops short of the cheek's edge: there the skin goes out of sight."""
    for sign, jaw in ((-1.0, np.arange(8)), (1.0, np.arange(16, 8, -1))):
        edge = np.interp(points[:, 1], points[jaw, 1], sign * points[jaw, 0])
        room = np.maximum(edge - sign * points[:, 0], 0.0)
        out = sign * moved[:, 0]
        inner = _LOWER_FACE & (out > 0.0)
        moved[inner, 0] = sign * knee(out, 0.8 * room)[inner]


def _limit_narrowing(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """The mouth narrows to half its width at most."""
    middle = (points[51, 0] + points[57, 0]) / 2
    for corner, side in ((48, _LEFT), (54, _RIGHT)):
        sign = -1.0 if corner == 48 else 1.0
        half_width = max(sign * (points[corner, 0] - middle), 0.0)
        inward = -sign * moved[corner, 0]
        if inward > 0.0:
            moved[side, 0] *= float(knee(inward, 0.5 * half_width)) / inward


def _slide_contour(points: NDArray[np.float64], moved: NDArray[np.float64]) -> None:
    """Where the cheek's edge comes close to a moving mouth, its skin slides along that edge.

    On the far side of a turned face the jaw's points are a contour, no places on the skin. Held,
    they would stop the corner of the mouth beside them, and bend the lips into a hook.
    """
    jaw, near = points[_CONTOUR], np.flatnonzero(_LOWER_FACE)
    away = jaw[:, None] - points[near]
    weight = np.exp(-np.einsum("ijk,ijk->ij", away, away) / _REACH**2)
    total = weight.sum(axis=1, keepdims=True)
    skin = weight @ moved[near] / np.maximum(total, 1e-12)
    along = np.gradient(points[:17], axis=0)[_CONTOUR]
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    slid = np.einsum("ij,ij->i", skin - moved[_CONTOUR], along)[:, None] * along
    moved[_CONTOUR] += total / (total + _HOLD) * slid


def _mouth_side(left: bool) -> NDArray[np.bool_]:
    """The lips and the skin beside them, of one side."""
    lips = [48, 49, 50, 58, 59, 60, 61, 67, 68, 70]
    chosen = np.array([*lips, *_skin(216, 212, 202, 204, 43, 92, 187)])
    return _mask(chosen if left else MIRROR[chosen])


def _skin(*mesh: int) -> list[int]:
    """The rig's numbers of mesh points."""
    return [SKIN.start + SKIN_MESH.index(point) for point in mesh]


def _mask(chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
    mask = np.zeros(POINTS, bool)
    mask[chosen] = True
    return mask


_LEFT, _RIGHT = _mouth_side(left=True), _mouth_side(left=False)
_CHEEK = np.array(_skin(205, 187, 216, 212, 202, 204, 147, 192, 214, 210, 43, 92, 36, 50, 123, 83))
_LOWER_FACE = _mask(np.concatenate([np.arange(48, 72), _CHEEK, MIRROR[_CHEEK]]))
