"""The inside of a mouth nobody lends: a shaded hollow, the upper teeth, a tongue.

Recognisably painted, and told as such; but a mouth, not a slot. The teeth are fixed to the skull:
they show as far as the upper lip lets them, whatever the jaw does. All of it is as soft as the
picture is there: sharp paint in soft footage is what the eye finds first.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.colours import MouthColours
from engines.editors.rig.face import FaceFrame
from engines.editors.rig.lips import Lips
from engines.editors.rig.own_inside import own_hollow
from keyframes.curves.easing import smoothstep

_SHOWN_AT_REST = 0.032
"""How far the upper teeth end below the upper lip of a shut mouth: 3 mm, outer-eye distances."""
_BORDERS = np.array([0.0, 0.088, 0.156, 0.216, 0.262, 0.30])
"""Of the teeth of one side, from the middle: incisors, canine, premolars; along the face."""
_LESS = np.array([0.0, 0.010, 0.004, 0.014, 0.02])
"""How much shorter than the middle incisors they end."""
_ROUNDED = 0.009
_RISE, _DEPTH = 0.5, 2.6  # of the row at its ends, upward and away from the viewer; per width²
_ENDS = 0.27  # half the row that can be seen
_WARM = np.array([1.0, 0.95, 0.86])
_OF_SKIN = 0.5  # of the skin's own tint, which light in a mouth has come through
_TEETH_LIGHT = 1.12  # of the skin's
_TONGUE = np.array([3.0, 4.2, 4.2])  # of the hollow's colour
_OWN_TONGUE = 0.4  # less of it where a mouth was open
_DARK = np.array([0.18, 0.11, 0.11])  # of the lips' colour: the inside of a mouth
_SHUT, _OPEN = 0.03, 0.07
_SOFT_PX = (0.7, 4.0)
_Floats = NDArray[np.float64]


def painted_inside(
    frame: FaceFrame,
    colours: MouthColours,
    before: Lips,
    after: Lips,
    pixels: _Floats,
    shade: NDArray[np.float32],
    image: NDArray[Any],
) -> NDArray[np.float32]:
    """`(h, w, 3)` what shows between lips, on the crop's scale.

    Args:
        frame: the face's frame in the crop.
        colours: of the crop.
        before, after: inner lips.
        pixels: `(h, w, 2)` x, y of the crop's pixels around the lips.
        shade: `(h, w)` brightness of the hollow, around 1.
        image: the crop.
    """
    x, y = np.moveaxis(frame.from_px(pixels), -1, 0)
    top, bottom = np.interp(x, after.x, after.top), np.interp(x, after.x, after.bottom)
    gap = np.maximum(bottom - top, 1e-4)
    middle = float(before.x[len(before.x) // 2])
    # Teeth and tongue belong to mouths that were shut: an open one shows its own.
    shut = 1.0 - float(smoothstep(float(before.gap.max()), _SHUT, _OPEN))
    dark = (_DARK * colours.lips).astype(np.float32)
    dark = shut * dark + (1.0 - shut) * own_hollow(colours, dark)

    paint = dark * ((0.6 + 0.9 * smoothstep((y - top) / gap)) * shade)[..., None]
    tongue = _tongue((x - middle) / 0.24, (bottom - y) / gap, float(after.gap.max()))
    paint = paint + ((1.0 - _OWN_TONGUE * (1.0 - shut)) * tongue)[..., None] * dark * (
        _TONGUE - 1.0
    )
    seam = float(np.interp(middle, before.x, before.top))
    across = _on_row(frame, x - middle)
    row, light = _teeth(across, y - seam, 1.2 / frame.unit_px)
    light = light * (1.0 - 0.4 * np.exp(-np.maximum(y - top, 0.0) / 0.018))  # the lip's shadow
    skin = colours.skin
    enamel = _TEETH_LIGHT * (_OF_SKIN * skin + (1.0 - _OF_SKIN) * skin.mean() * _WARM)
    teeth = light[..., None] * enamel
    paint = paint + (shut * row)[..., None] * (teeth - paint)
    return _as_soft(paint.astype(np.float32), image, pixels)


def _tongue(across: _Floats, up: _Floats, deep: float) -> _Floats:
    """0…1 how much of a tongue shows: a low mound behind the lower lip, which shades its foot."""
    mound = 0.62 - 0.3 * np.minimum(across**2, 2.0)
    shown = smoothstep((mound - up) / 0.5) * (0.72 + 0.28 * smoothstep(up / 0.22))
    return shown * np.exp(-(across**4)) * float(smoothstep(deep, 0.05, 0.15))


def _on_row(frame: FaceFrame, x: _Floats) -> _Floats:
    """Places along the row of teeth, as seen from the front: it curves away from the viewer."""
    return (x + _DEPTH * x**2 * frame.seen[2, 0]) / max(float(frame.seen[0, 0]), 0.4)


def _teeth(across: _Floats, down: _Floats, soft: float) -> tuple[_Floats, _Floats]:
    """0…1 where teeth are, and their light around 1.

    Args:
        across, down: places from the middle of the row, and below the shut lips' seam.
    """
    far = np.abs(across)
    tooth = np.clip(np.searchsorted(_BORDERS, far, side="right") - 1, 0, len(_LESS) - 1)
    low, high = _BORDERS[tooth], _BORDERS[tooth + 1]
    side = np.abs(2.0 * (far - low) / (high - low) - 1.0)  # 0 in the middle of a tooth, 1 between
    edge = _SHOWN_AT_REST - _LESS[tooth] - _ROUNDED * side**4 - _RISE * far**2
    row = np.clip((edge - down) / (2.0 * soft) + 0.5, 0.0, 1.0)
    light = 1.0 - 0.16 * np.clip(side, 0.0, 1.0) ** 6
    light *= 1.0 - 0.75 * smoothstep(far, 0.03, _ENDS)
    return row * (1.0 - smoothstep(far, 0.8 * _ENDS, _ENDS)), light


def _as_soft(
    paint: NDArray[np.float32], image: NDArray[Any], pixels: _Floats
) -> NDArray[np.float32]:
    """The paint, blurred as the picture is around it."""
    x, y = pixels[..., 0], pixels[..., 1]
    if not x.size:
        return paint
    box = np.s_[max(int(y.min()), 0) : int(y.max()) + 1, max(int(x.min()), 0) : int(x.max()) + 1]
    sigma = float(np.clip(softness(image[box]), *_SOFT_PX))
    return np.asarray(cv2.GaussianBlur(paint, (0, 0), sigma), np.float32)


def softness(image: NDArray[Any]) -> float:
    """Standard deviation, in pixels, of the blur that edges of a picture have.

    An edge's gradient energy goes with one over its width; a blur of one pixel more tells which.
    """
    grey = image.mean(axis=-1).astype(np.float32)
    if min(grey.shape) < 4:
        return 0.0
    both = [_gradient_energy(part) for part in (grey, cv2.GaussianBlur(grey, (0, 0), 1.0))]
    kept = min(both[1] / max(both[0], 1e-9), 0.995)
    return kept / float(np.sqrt(1.0 - kept**2))


def _gradient_energy(grey: NDArray[Any]) -> float:
    return float((np.diff(grey, axis=0) ** 2).mean() + (np.diff(grey, axis=1) ** 2).mean())
