"""The own inside of a mouth that is open and opens further: drawn apart, not drawn out.

What belongs to the skull goes with the upper lip, upper teeth first of all; what belongs to the
jaw, tongue and lower teeth, with the lower lip. They part where the picture is darkest between
them, and only what lies about there is stretched: teeth least of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.colours import DOWN, MouthColours
from keyframes.curves.easing import smoothstep

_BOUNDS = (0.45, 0.85)
_WHOLE, _END = (0.75, 0.92), 0.9
_LIKELY, _LIKELY_WIDE = 0.62, 0.22
_DARKER, _DARK = 0.3, 0.05  # of what is seen from dark to bright, and of the brightest
_TEETH = (0.7, 1.05)  # of the skin's enamel: tongues reach .85, teeth 1.1 and more
_LIPS = 1.3  # of the lips' enamel, where skin is darker
_HALF, _LONGEST = 0.04, 0.25  # at least so much to either side; where teeth are longest
_BORNE = (1.8, 2.6)  # of a stretch; from the second on it is painted over
_DARKEST, _HOLLOW = 0.2, (0.6, 1.4)
_FROM = 12  # of DOWN: what is dark above is the upper lip's shadow
_STEP = float(DOWN[1] - DOWN[0])
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Parting:
    """Where the inside of a mouth comes apart.

    Attributes:
        low, high: 0 at the upper lip, 1 at the lower: between them it is stretched.
    """

    low: float
    high: float


def parting(colours: MouthColours) -> Parting:
    """Where an inside comes apart: where it is darkest, and from there up and down to teeth."""
    light = _enamel(colours.inside)
    at = _darkest(light.mean(axis=1))
    enamel = max(float(_enamel(colours.skin)), _LIPS * float(_enamel(colours.lips)), 1e-6)
    clear = 1.0 - smoothstep(light / enamel, *_TEETH)
    middle = int(np.searchsorted(DOWN, at))
    above, below = (
        max(_STEP * float(np.quantile(np.minimum.accumulate(part).sum(axis=0), _LONGEST)), _HALF)
        for part in (clear[:middle][::-1], clear[middle:])
    )
    return Parting(at - above, at + below)


def _darkest(light: NDArray[np.floating]) -> float:
    """The depth at which a profile over DOWN is darkest, rather in the middle than at a lip.

    Where it is nowhere darker, upper teeth reach the lower lip, and are not cut.
    """
    light, down = light[_FROM:], DOWN[_FROM:]
    least, most = float(light.min()), float(light.max())
    scale = _DARKER * (most - least) + _DARK * most + 1e-6
    weight = np.exp(-(((light - least) / scale) ** 2))
    weight *= np.exp(-0.5 * ((down - _LIKELY) / _LIKELY_WIDE) ** 2)
    weight /= weight.sum()
    at = float(np.clip(weight @ down, *_BOUNDS))
    no_darker = float(smoothstep(float(weight @ light) / max(most, 1e-6), *_WHOLE))
    return at + no_darker * (_END - at)


def _enamel(colours: NDArray[np.floating]) -> NDArray[np.floating]:
    """`(...)` of `(..., 3)`: light without a hue, which teeth have, and lips and tongues lack."""
    return colours.min(axis=-1) ** 2 / np.maximum(colours.max(axis=-1), 1e-6)


def drawn_apart(depth: _Floats, kept: _Floats, parts: Parting) -> tuple[_Floats, _Floats, _Floats]:
    """Which depth of the own inside shows at each depth of the opened one.

    Args:
        depth: 0 at the upper lip, 1 at the lower.
        kept: by how much the inside would have to be stretched in all, at least 1.
        parts: where it comes apart.

    Returns:
        Depths; 0…1 how much of a place is stretched beyond what is borne; and how far into the
        stretched part it lies, in depths of the opened inside, less than 0 outside.
    """
    low, high = parts.low, parts.high
    start, end = low / kept, 1.0 - (1.0 - high) / kept
    length = end - start
    between = low + np.clip((depth - start) / length, 0.0, 1.0) * (high - low)
    shown = np.where(depth < start, kept * depth, between)
    shown = np.where(depth > end, 1.0 - kept * (1.0 - depth), shown)
    beyond = smoothstep(kept * length / (high - low), *_BORNE)
    return shown, beyond, np.minimum(depth - start, end - depth)


def own_hollow(colours: MouthColours, dark: NDArray[np.floating]) -> NDArray[np.float32]:
    """`(3,)` on the crop's scale: the darkest fifth of what shows, about as dark as `dark` is."""
    shown = colours.inside.reshape(-1, 3)
    light = shown.mean(axis=1)
    own = shown[light <= np.quantile(light, _DARKEST)].mean(axis=0)
    level = float(dark.mean()) / max(float(own.mean()), 1e-6)
    held = own * np.clip(1.0, _HOLLOW[0] * level, _HOLLOW[1] * level)
    return ((held + dark) / 2).astype(np.float32)
