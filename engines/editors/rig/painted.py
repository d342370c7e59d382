"""The inside of a mouth nobody lends: a shaded hollow, the upper teeth, a hint of a tongue.

Recognisably painted, and told as such; but a mouth, not a slot. The teeth are fixed to the skull:
they show as far as the upper lip lets them, whatever the jaw does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.face import FaceFrame
from engines.editors.rig.mouth import Lips, dark_colour, skin_colour
from keyframes.curves.easing import smoothstep

_SHOWN_AT_REST = 0.028
"""How far the upper teeth end below the upper lip of a shut mouth: 2–3 mm, outer-eye distances."""
_ARCH = 0.20
"""Half the width of the row that can be seen; it curves away behind the corners."""
_RISE = 0.035  # of the row's edge at its ends
_TOOTH = 0.078
_WARM = np.array([1.0, 0.94, 0.84])
_TEETH_LIGHT, _TEETH_MIN = 1.06, 0.35  # of the skin's
_TONGUE = np.array([2.9, 4.0, 3.9])  # of the hollow's colour
_SHUT, _OPEN = 0.03, 0.07
_Floats = NDArray[np.float64]


def painted_inside(
    frame: FaceFrame,
    points: _Floats,
    before: Lips,
    after: Lips,
    pixels: _Floats,
    shade: NDArray[np.float32],
    image: NDArray[Any],
) -> NDArray[np.float32]:
    """`(h, w, 3)` what shows between lips, on the crop's scale.

    Args:
        frame: the face's frame in the crop.
        points: `(P, 2)` control points of the crop, face units.
        before, after: inner lips.
        pixels: `(h, w, 2)` x, y of the crop's pixels around the lips.
        shade: `(h, w)` brightness of the hollow, around 1.
        image: the crop.
    """
    dark = dark_colour(frame, points, image)
    at = frame.from_px(pixels)
    x, y = at[..., 0], at[..., 1]
    top, bottom = np.interp(x, after.x, after.top), np.interp(x, after.x, after.bottom)
    gap = np.maximum(bottom - top, 1e-4)
    middle = float(before.x[len(before.x) // 2])
    # Teeth and tongue belong to mouths that were shut: an open one shows its own.
    own = 1.0 - float(smoothstep(float(before.gap.max()), _SHUT, _OPEN))

    hollow = 0.6 + 0.9 * smoothstep((y - top) / gap)
    paint = dark * (hollow * shade)[..., None]

    deep = float(after.gap.max())
    low = np.exp(-(((x - middle) / 0.15) ** 2)) * smoothstep((y - bottom) / (0.45 * gap) + 1.0)
    tongue = own * low * float(smoothstep(deep, 0.06, 0.16))
    paint = paint + (0.8 * tongue)[..., None] * dark * (_TONGUE - 1.0)

    across = (x - middle) / _ARCH
    rest = float(np.interp(middle, before.x, before.top))
    edge = rest + _SHOWN_AT_REST - _RISE * across**2
    soft = 1.2 / frame.unit_px
    row = np.clip((edge - y) / (2.0 * soft) + 0.5, 0.0, 1.0) * (
        1.0 - smoothstep(np.abs(across), 0.7, 1.0)
    )
    between = np.abs((x - middle) / _TOOTH - np.rint((x - middle) / _TOOTH - 0.5) - 0.5)
    light = _TEETH_LIGHT * (1.0 - 0.6 * np.clip(np.abs(across), 0.0, 1.0) ** 1.5)
    light = light * (1.0 - 0.22 * (1.0 - smoothstep(between, 0.0, 0.09)))
    light = light * (1.0 - 0.35 * np.exp(-np.maximum(y - top, 0.0) / 0.018))  # the lip's shadow
    skin = float(skin_colour(frame, points, image).mean())
    teeth = skin * np.maximum(light, _TEETH_MIN)[..., None] * _WARM
    paint = paint + (own * row)[..., None] * (teeth - paint)
    return paint.astype(np.float32)
