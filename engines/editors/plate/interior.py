"""The inside of a mouth that opens, shown as another frame of the shot shows it.

The lips stay the frame's own; only what lies between them is lent. It is fixed to the skull: a
pixel shows what the donor has at the same place of the head, and the lips occlude it. Where the
upper lip is higher than the donor's, teeth are drawn up under it, in its shadow; what lies below
the donor's inside is painted.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.colours import skin_colour
from engines.editors.rig.draw import Shown
from engines.editors.rig.face import FaceFrame
from engines.editors.rig.lips import Lips, inner_lips
from engines.lent import LentMouth
from keyframes.curves.easing import smoothstep

MARGIN = 0.006
"""Of the donor's inside, outer-eye distances: its lips' own edge is not lent."""
_FADES = (-0.02, 0.012)
"""Where the donor's inside goes over into paint, from its lower end, outer-eye distances."""
_GAIN = (0.6, 1.6)
_SHADE_UNDER, _SHADE_CORNERS = 0.30, 0.40
_Floats = NDArray[np.float64]


def lent_inside(
    frame: FaceFrame, lips: Lips, pixels: _Floats, lent: LentMouth, gain: NDArray[np.float32]
) -> Shown:
    """`(h, w, 3)` what shows between lips, on the crop's scale; `(h, w)` 0…1 where it reaches.

    Args:
        frame: the face's frame in the crop.
        lips: its inner lips after the edit.
        pixels: `(h, w, 2)` x, y of the crop's pixels around the lips.
        gain: `(3,)` from `skin_gain`.
    """
    donor = _donor_lips(frame, lent)
    at = frame.from_px(pixels)
    x, y = at[..., 0], at[..., 1]
    top = np.interp(x, lips.x, lips.top)
    along = np.clip((x - lips.x[0]) / max(lips.x[-1] - lips.x[0], 1e-4), 0.0, 1.0)
    left, right = max(lips.x[0], donor.x[0] + MARGIN), min(lips.x[-1], donor.x[-1] - MARGIN)
    from_x = left + along * max(right - left, 1e-4)
    upper = np.interp(from_x, donor.x, donor.top) + MARGIN
    lower = np.interp(from_x, donor.x, donor.bottom) - MARGIN
    from_y = y + _drawn_up(y - top, np.maximum(upper - top, 0.0))
    there = 1.0 - smoothstep(from_y - lower, *_FADES)
    where = frame.to_px(np.stack([from_x, np.minimum(from_y, lower)], axis=-1))
    shade = _shade((y - top) * frame.unit_px, along)[..., None]
    taken = _sampled(lent, where).astype(np.float32) * gain * shade
    return taken.astype(np.float32), there.astype(np.float32)


def _shade(under_px: _Floats, along: _Floats) -> _Floats:
    """Light under the upper lip and towards the corners, 1 in the open."""
    side = smoothstep(np.abs(along - 0.5) * 2.0, 0.55, 1.0)
    under = 1.0 - _SHADE_UNDER * np.exp(-np.maximum(under_px, 0.0) / 3.0)
    return under * (1.0 - _SHADE_CORNERS * side)


def _drawn_up(deep: _Floats, lacking: _Floats) -> _Floats:
    """How much lower than itself a pixel looks: all that is lacking at the lip, little below.

    Args:
        deep: places below the upper lip.
        lacking: by how much the donor's lip is lower.
    """
    return lacking * np.exp(-np.maximum(deep, 0.0) / np.maximum(1.25 * lacking, 1e-4))


def _donor_lips(frame: FaceFrame, lent: LentMouth) -> Lips:
    """The donor's inner lips where the skull puts them in this crop."""
    matrix = lent.crop_from_patch
    at_px = lent.landmarks_px.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return inner_lips(frame.from_px(at_px))


def _sampled(lent: LentMouth, where_px: _Floats) -> NDArray[Any]:
    """The donor's pixels at crop pixels."""
    linear = np.linalg.inv(lent.crop_from_patch[:, :2])
    at = ((where_px - lent.crop_from_patch[:, 2]) @ linear.T).astype(np.float32)
    nothing: Any = None
    return cv2.remap(lent.image, at, nothing, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def skin_gain(
    image: NDArray[Any], landmarks_px: NDArray[np.floating], lent: LentMouth
) -> NDArray[np.float32]:
    """`(3,)` light here ÷ light there, of the skin around the mouth, kept within bounds."""
    here = skin_colour(image, landmarks_px)
    there = skin_colour(lent.image, lent.landmarks_px)
    return np.clip(here / np.maximum(there, 1e-3), *_GAIN).astype(np.float32)
