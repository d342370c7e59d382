"""What folds do to the skin, out of frames with an expression and frames at rest.

The ratio of both on the skin's chart, without what changes slowly over the face (light) and what
is finer than a fold (noise), and without all that is no skin or did not hold still: glasses, hair,
hands, shadows. Source of the idea: Z. Liu, Y. Shan, Z. Zhang, Expressive Expression Mapping with
Ratio Images, 2001.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.plate.folds import BLACK
from engines.editors.plate.skin import SIDE, mesh_on_chart
from engines.lent import FOLD_GROUPS

FINE, COARSE = 0.8, 14.0
"""Chart pixels: folds lie between."""
CORE = 0.012
DARKEST, LIGHTEST = -0.45, 0.12
STEP = 0.45 / 127
"""Of the stored 8-bit maps, log ratio."""
SHOWS = 0.04
"""A map whose folds are nowhere stronger is none."""
_ONE_SIDED = 1.7
_ALIKE, _ALIKE_MIN = (0.15, 0.5), 0.25
_ALIKE_FINE, _ALIKE_AROUND = 4.0, 14.0  # chart pixels: how exactly, and over how much of the skin
_BULGE = 0.4
_MEDIAN_RANGE, _MEDIAN_SOFT = 0.75, 0.25
_STEADY = (0.05, 0.09)
_THIN = 0.075
_Map = NDArray[np.float32]

# fmt: off
_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
_HOLES = (  # mesh points, chart pixels around them
    ((33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7), 6),
    ((263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249), 6),
    ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), 4),
    ((300, 293, 334, 296, 336, 285, 295, 282, 283, 276), 4),
    ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91,
      146), 5),
    ((98, 97, 2, 326, 327, 64, 294, 75, 305, 60, 290), 3),
)
# fmt: on


def fold_map(strong: Sequence[_Map], rest: Sequence[_Map], group: int) -> NDArray[np.int8] | None:
    """`(352, 352)` int8, log ratio in STEPs; None where nothing is left of it.

    Args:
        strong, rest: `(352, 352)` float32 luma of frames on the chart, 0…255.
        group: number in FOLD_GROUPS.
    """
    logs = [np.log(np.stack(part) + np.float32(BLACK)) for part in (strong, rest)]
    with_folds, without = (np.median(part, axis=0) for part in logs)
    ratio = _band(with_folds) - _band(without)
    ratio = np.sign(ratio) * np.maximum(np.abs(ratio) - CORE, 0.0)
    gate = _steady(logs[0]) * _steady(logs[1]) * _skin_light(with_folds) * _skin_light(without)
    gate *= _no_lines(without, both=True) * _no_lines(with_folds, both=False)
    gate = _blur(np.asarray(cv2.erode(gate, np.ones((5, 5))), np.float32), 3.0)
    ratio = np.clip(ratio, DARKEST, LIGHTEST) * where_it_folds(group) * gate
    alike = _alike(ratio)
    if np.average(alike, weights=np.abs(ratio) + np.float32(1e-9)) < _ALIKE_MIN:
        return None
    low, high = _ALIKE
    ratio *= _two_sided(ratio) * np.clip((alike - low) / (high - low), 0.0, 1.0)
    ratio = np.minimum(ratio, _light_beside(ratio))
    if np.percentile(np.abs(ratio), 99.8) < SHOWS:
        return None
    return np.rint(ratio / STEP).astype(np.int8)


def _blur(image: NDArray[np.floating], sigma: float) -> _Map:
    made = cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(made, np.float32)


def _band(log: _Map) -> _Map:
    return _blur(log, FINE) - _blur(log, COARSE)


def _steady(logs: _Map) -> _Map:
    """1 where all frames show the same, 0 where they don't."""
    off = np.median(np.abs(logs - np.median(logs, axis=0)), axis=0)
    low, high = _STEADY
    return np.clip((high - _blur(off, 3.0)) / (high - low), 0.0, 1.0)


def _skin_light(log: _Map) -> _Map:
    """1 where it is about as light as skin mostly is in this face."""
    soft = _blur(log, 2.0)
    median = float(np.median(soft[_skin() > 0.5]))
    return np.clip((soft - (median - _MEDIAN_RANGE)) / _MEDIAN_SOFT, 0.0, 1.0)


def _no_lines(log: _Map, *, both: bool) -> _Map:
    """0 around thin lines: rims of glasses, hair; in donors only bright ones, a fold is dark."""
    thin = _blur(log, 0.7) - _blur(log, 3.0)
    lines = ((np.abs(thin) if both else thin) > _THIN).astype(np.float32)
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17) if both else (9, 9))
    return np.float32(1.0) - np.asarray(cv2.dilate(lines, round_), np.float32)


def _two_sided(ratio: _Map) -> _Map:
    """0…1: folds come in pairs; what one side shows alone is a shadow, hair or half a hand."""
    strength = _blur(np.abs(ratio), 10.0)
    allowed = _ONE_SIDED * strength[:, ::-1] + 0.004
    share = np.clip(allowed / np.maximum(strength, 1e-6), 0.0, 1.0)
    return np.asarray(share**2, np.float32)


def _alike(ratio: _Map) -> _Map:
    """−1…1 how much one side's folds look like the other's: the correlation around each place.

    A smile's own correlated by .7 on a real clip; with half of the face covered by .02.
    """
    soft = _blur(ratio, _ALIKE_FINE)
    other = soft[:, ::-1]
    both, one, two = (_blur(part, _ALIKE_AROUND) for part in (soft * other, soft**2, other**2))
    return np.asarray(both / np.sqrt(one * two + 1e-10), np.float32)


def _light_beside(ratio: _Map) -> _Map:
    """How light skin may become: beside a fold it bulges; alone it is a highlight or a hairline."""
    dark = np.maximum(-ratio, 0.0).astype(np.float32)
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (21, 21))
    return np.float32(_BULGE) * _blur(np.asarray(cv2.dilate(dark, round_), np.float32), 4.0)


@functools.cache
def _skin() -> _Map:
    """The face's oval without eyes, brows, lips and nostrils."""
    mesh = mesh_on_chart()
    skin = _hull(mesh, _OVAL, -12)
    for points, grown in _HOLES:
        skin *= np.float32(1.0) - _hull(mesh, points, grown)
    return skin


def _hull(mesh: NDArray[np.float64], points: Sequence[int], grown: int) -> _Map:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(
        mask, np.rint(cv2.convexHull(mesh[list(points)].astype(np.float32))).astype(np.int32), 1
    )
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(grown) + 1,) * 2)
    return (cv2.dilate if grown > 0 else cv2.erode)(mask, round_).astype(np.float32)


@functools.cache
def where_it_folds(group: int) -> _Map:
    """`(352, 352)` 0…1: the part of the skin that a group's units fold."""
    mesh = mesh_on_chart()
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    across = np.abs(x - SIDE / 2)
    brow, inner = mesh[[55, 285], 1].mean(), float(np.abs(mesh[55, 0] - SIDE / 2))
    eye, nose = mesh[[159, 386], 1].mean(), mesh[[98, 327], 1].mean()
    mouth, over_eye = mesh[[61, 291], 1].mean(), mesh[[105, 334], 1].mean()
    below_nose = _ramp(y, nose + 4, nose + 22)
    parts = {
        (1, 2): 1.0 - _ramp(y, brow - 4, brow + 6),
        (4,): (1.0 - _ramp(y, eye - 2, eye + 14)) * (1.0 - _ramp(across, inner + 22, inner + 50)),
        (9,): (1.0 - _ramp(across, 34, 52))
        * _ramp(y, over_eye - 14, over_eye)
        * (1.0 - _ramp(y, mouth - 8, mouth + 2)),
        (12,): _ramp(y, eye - 6, eye + 8) * (1.0 - _ramp(y, mouth + 6, mouth + 26)),  # no chin
        (15,): below_nose,
        (17,): _ramp(y, mouth - 2, mouth + 10) * (1.0 - _ramp(across, 52, 72)),
        (20,): below_nose,
    }
    return _blur(_skin() * parts[FOLD_GROUPS[group]], 4.0)


def _ramp(value: _Map, low: float, high: float) -> _Map:
    return np.clip((value - low) / (high - low), 0.0, 1.0)
