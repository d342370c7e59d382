"""Eyes that shut as the shot shows them shut: lids lent by its own blinks.

Each donor is drawn to where this frame's brow, lids and eye corners are, with the opening that the
curve asks for, so that neighbours blend without two edges. The light is this frame's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import FaceFrame, control_points, face_frame
from engines.editors.rig.lids import EYES, eye_edges
from engines.editors.rig.lips import Lips
from engines.editors.rig.units import FULL
from engines.lent import LentEyes
from keyframes.curves.easing import smoothstep

OWN_UP_TO, LENT_FROM = 0.1, 0.45
"""Of a closure: up to the first the frame's own lid comes down, from the second it is all lent."""
_SIDE, _ABOVE, _BELOW = 0.78, 0.50, 0.42
"""Of the eye's width: half axes of what is lent."""
_SOFT = 0.35
_UNDER_LID = 0.35  # eye widths below the lower lid, where both frames' skin is taken for the same
_DONOR_LINE = 0.65  # of where shut lids meet; the rest is this frame's lower lid
_GAIN = (0.7, 1.4)
_LIGHT_PX = 48
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Eye:
    """One eye in axes of its own: corner to corner is 0…1 along x, y down in the same unit."""

    corner: _Floats
    axes: _Floats
    width: float
    lids: Lips
    brow: _Floats

    def inward(self, points: _Floats) -> _Floats:
        return (points - self.corner) @ self.axes.T / self.width

    def outward(self, points: _Floats) -> _Floats:
        return points * self.width @ self.axes + self.corner

    def lines(self, x: _Floats) -> tuple[_Floats, _Floats, _Floats]:
        """y of brow, upper and lower lid at x."""
        brow = np.interp(x, self.brow[:, 0], self.brow[:, 1])
        lids = self.lids
        return brow, np.interp(x, lids.x, lids.top), np.interp(x, lids.x, lids.bottom)


def _eye(points: _Floats, eye: int) -> _Eye:
    upper, _, brow = EYES[eye]
    first, last = points[upper[0]], points[upper[-1]]
    width = max(float(np.hypot(*(last - first))), 1e-4)
    along = (last - first) / width
    axes = np.array([along, [-along[1], along[0]]])
    own = points.copy()
    own[:] = (points - first) @ axes.T / width
    return _Eye(first, axes, width, eye_edges(own, eye), own[brow])


def draw_eyes(
    frame: FaceFrame,
    after: _Floats,
    lids: NDArray[np.floating],
    eyes_open: NDArray[np.floating],
    donors: tuple[LentEyes, ...],
    edited: NDArray[Any],
    mask: NDArray[np.float32],
) -> None:
    """Draws lent eyes over what `edited` shows, in place, and raises `mask` there.

    Args:
        frame: the face's frame in the crop.
        after: `(P, 2)` face units: control points after the warp.
        lids: `(2,)` in the order of LID_NAMES, 5 = all the way.
        eyes_open: `(2,)` 0…1, how open they are before.
        donors: from open to shut.
        edited, mask: the crop with its own lids drawn down, and where it changed.
    """
    for eye, lid in enumerate(lids.tolist()):
        share = min(lid / FULL, 1.0)
        lent = float(smoothstep((share - OWN_UP_TO) / (LENT_FROM - OWN_UP_TO)))
        if lent > 0.0:
            blend = _blend(float(eyes_open[eye]) * (1.0 - share), donors, eye)
            _draw(frame, _eye(after, eye), eye, share, lent, blend, edited, mask)


def _blend(wanted: float, donors: tuple[LentEyes, ...], eye: int) -> list[tuple[LentEyes, float]]:
    """The donors on both sides of an opening, and how much of each."""
    open_ = np.array([donor.eyes_open[eye] for donor in donors])
    if wanted >= open_[0]:
        return [(donors[0], 1.0)]
    if wanted <= open_[-1]:
        return [(donors[-1], 1.0)]
    below = int(np.argmax(open_ <= wanted))
    share = (open_[below - 1] - wanted) / max(float(open_[below - 1] - open_[below]), 1e-6)
    return [(donors[below - 1], 1.0 - share), (donors[below], share)]


def _draw(
    frame: FaceFrame,
    own: _Eye,
    eye: int,
    share: float,
    lent: float,
    blend: list[tuple[LentEyes, float]],
    edited: NDArray[Any],
    mask: NDArray[np.float32],
) -> None:
    box = _box(frame, own, len(edited))
    if min(box[0].stop - box[0].start, box[1].stop - box[1].start) < 8:
        return
    rows, columns = np.mgrid[box].astype(np.float64)
    at = own.inward(frame.from_px(np.stack([columns, rows], axis=-1)))
    lines = own.lines(at[..., 0])
    shown = np.zeros((*at.shape[:2], 3), np.float32)
    for donor, weight in blend:
        if weight > 0.0:
            shown += np.float32(weight) * _shown(at, lines, eye, share, donor)
    part = edited[box].astype(np.float32)
    radius = _radius(at)
    shown *= _light(part, shown, (radius > 0.62) & (radius < 1.15) & (at[..., 1] > lines[0]))
    over = (lent * _over(at[..., 1] - lines[0], radius)).astype(np.float32)
    part += over[..., None] * (shown - part)
    most = np.iinfo(edited.dtype).max
    drawn = np.clip(np.rint(part), 0, most).astype(edited.dtype)
    edited[box] = np.where(over[..., None] > 0.0, drawn, edited[box])
    mask[box] = np.maximum(mask[box], np.minimum(4.0 * over, 1.0))


def _box(frame: FaceFrame, own: _Eye, size: int) -> tuple[slice, slice]:
    corners = np.array([[x, y] for x in (-0.42, 1.42) for y in (-0.7, 0.6)])
    px = frame.to_px(own.outward(corners))
    x0, y0 = np.clip(np.floor(px.min(axis=0)), 0, size).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(px.max(axis=0)) + 1, 0, size).astype(int).tolist()
    return slice(y0, y1), slice(x0, x1)


def _radius(at: _Floats) -> _Floats:
    """1 on the ellipse that ends what is lent."""
    x, y = (at[..., 0] - 0.5) / _SIDE, at[..., 1]
    return np.hypot(x, y / np.where(y < 0.0, _ABOVE, _BELOW))


def _over(under_brow: _Floats, radius: _Floats) -> _Floats:
    """`(h, w)` 0…1: what is lent ends before the brow, softly, and is 0 on the box's border."""
    over = smoothstep((1.0 - radius) / _SOFT) * smoothstep(under_brow / 0.12)
    over[[0, -1]] = over[:, [0, -1]] = 0.0
    return over


def _shown(
    at: _Floats,
    lines: tuple[_Floats, _Floats, _Floats],
    eye: int,
    share: float,
    donor: LentEyes,
) -> NDArray[np.float32]:
    """`(h, w, 3)` a donor's eye, drawn to this one's brow and corners and to the asked opening."""
    there_frame = face_frame(donor.landmarks_px, donor.pose)
    there = _eye(control_points(there_frame, donor.landmarks_px), eye)
    x, y = at[..., 0], at[..., 1]
    brow, upper, lower = there.lines(x)
    to = [lines[0], *_asked_lids(lines[1], lines[2], (upper + lower) / 2, share)]
    knots, values = [*to, to[2] + _UNDER_LID], [brow, upper, lower, lower + _UNDER_LID]
    from_y = _piecewise(y, knots, values)
    px = there_frame.to_px(there.outward(np.stack([x, from_y], axis=-1))).astype(np.float32)
    nothing: Any = None
    shown = cv2.remap(donor.image, px, nothing, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return shown.astype(np.float32)


def _asked_lids(
    top: _Floats, bottom: _Floats, meet: _Floats, share: float
) -> tuple[_Floats, _Floats]:
    """Upper and lower lid: the opening that is left, above a lower lid that comes up."""
    lower = bottom + share * _DONOR_LINE * (meet - bottom)
    return lower - (1.0 - share) * np.maximum(bottom - top, 0.0), lower


def _piecewise(y: _Floats, knots: list[_Floats], values: list[_Floats]) -> _Floats:
    """y through straight pieces between knots that differ from place to place; beyond, shifted."""
    out = y - knots[0] + values[0]
    for low, high, first, last in zip(knots, knots[1:], values, values[1:], strict=False):
        t = (y - low) / np.maximum(high - low, 1e-4)
        out = np.where(y >= low, first + np.clip(t, 0.0, 1.0) * (last - first), out)
    return np.where(y > knots[-1], y - knots[-1] + values[-1], out)


def _light(
    here: NDArray[np.float32], there: NDArray[np.float32], ring: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """`(h, w, 3)` this frame's light over the donor's: low-pass, of the skin around the eye."""
    height, width = here.shape[:2]
    small = (_LIGHT_PX, max(round(_LIGHT_PX * height / width), 2))
    weight = ring.astype(np.float32)[..., None]
    stacked = np.concatenate([here * weight, there * weight], axis=2)
    few = cv2.resize(stacked[..., :3], small, interpolation=cv2.INTER_AREA)
    other = cv2.resize(stacked[..., 3:], small, interpolation=cv2.INTER_AREA)
    sigma = 0.16 * _LIGHT_PX
    few, other = (cv2.GaussianBlur(part, (0, 0), sigma) for part in (few, other))
    level = 1e-3 * max(float(here.max()), 1.0)
    gain = np.clip((few + level) / (other + level), *_GAIN)
    wide = cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, np.float32)
