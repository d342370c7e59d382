"""Penner's easings as Blender defines them, vectorised over segments.

Each family is one ease-in shape; out and in-out are its mirror images. Blender's own variations
(an exponential that starts at exactly 0, an elastic faded in where its amplitude is below the
step) are kept, since curves must look the same there.

Source: R. Penner, "Motion, Tweening, and Easing" (2002); behaviour checked against bpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EASINGS: tuple[str, ...] = ("auto", "ease_in", "ease_out", "ease_in_out")
BACK_DEFAULT = 1.70158
"""Overshoot of about a tenth of the step."""
_BACK_IN_OUT = 1.525
_OUT_BY_NATURE = frozenset({"back", "bounce", "elastic"})


def smoothstep(value: Any, low: float = 0.0, high: float = 1.0) -> Any:
    """3t² − 2t³ of where a value lies between two others: 0 up to `low`, 1 from `high` on.

    Its slope is 0 at both ends.

    Args:
        value: a number or an array of any shape; a float array keeps its dtype.
    """
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@dataclass(frozen=True)
class Shape:
    """What an easing may depend on besides the share of its segment; one entry per sample.

    Attributes:
        step: change of value over the segment.
        duration: of the segment, in any unit.
        back: overshoot of `back`.
        amplitude: of `elastic`, in units of the value, not negative; below the step the
            oscillation is faded in, at 0 none is left.
        period: of `elastic`, in the unit of `duration`; 0 means 0.3 of it (0.45 for in-out).
    """

    step: Array
    duration: Array
    back: Array
    amplitude: Array
    period: Array


def _expo(u: Array) -> Array:
    low = 2.0**-10
    return (np.exp2(10 * (u - 1)) - low) / (1 - low)


def _bounce(u: Array) -> Array:
    v = 1 - u
    parts = [v < 1 / 2.75, v < 2 / 2.75, v < 2.5 / 2.75]
    centres = np.select(parts, [0.0, 1.5, 2.25], 2.625)
    floors = np.select(parts, [0.0, 0.75, 0.9375], 0.984375)
    return 1 - (7.5625 * (v - centres / 2.75) ** 2 + floors)


def _elastic(u: Array, shape: Shape) -> Array:
    size = np.abs(shape.step)
    small = (shape.amplitude == 0) | (shape.amplitude < size)
    height = np.where(small, shape.step, shape.amplitude)
    turn = 2 * np.pi / shape.period
    ratio = np.clip(shape.step / np.where(height == 0, 1.0, height), -1, 1)
    lead = np.where(small, shape.period / 4, np.arcsin(ratio) / turn)
    tau = (u - 1) * shape.duration
    strength = np.where(small, shape.amplitude / np.where(size == 0, 1.0, size), 1.0)
    near = np.minimum(np.abs(tau) / np.where(lead == 0, 1.0, np.abs(lead)), 1.0)
    fade = np.where(small, strength * near + (1 - near), strength)
    wave = -fade * height * np.exp2(10 * (u - 1)) * np.sin((tau - lead) * turn)
    return np.where(u <= 0, 0.0, np.where(u >= 1, shape.step, wave))


_EASE_IN: dict[str, Callable[[Array, Shape], Array]] = {
    "sine": lambda u, shape: shape.step * (1 - np.cos(u * np.pi / 2)),
    "quad": lambda u, shape: shape.step * u**2,
    "cubic": lambda u, shape: shape.step * u**3,
    "quart": lambda u, shape: shape.step * u**4,
    "quint": lambda u, shape: shape.step * u**5,
    "expo": lambda u, shape: shape.step * _expo(u),
    "circ": lambda u, shape: shape.step * (1 - np.sqrt(np.maximum(0.0, 1 - u * u))),
    "back": lambda u, shape: shape.step * u * u * ((shape.back + 1) * u - shape.back),
    "bounce": lambda u, shape: shape.step * _bounce(u),
    "elastic": _elastic,
}
EASED: tuple[str, ...] = tuple(_EASE_IN)
"""Interpolations that take an easing."""


def ease(kind: str, easing: str, u: Array, shape: Shape) -> Array:
    """How far a value has come at a share of its segment.

    Args:
        kind: one of EASED.
        easing: one of EASINGS; `auto` is ease-in, but ease-out for back, bounce and elastic.
        u: `(N,)`, 0…1.
        shape: the segments' own numbers, `(N,)` each.

    Returns:
        `(N,)` in the unit of the step: 0 at 0 and the step at 1, beyond them in between for back
        and elastic. An elastic with an amplitude swings even where the step is 0.
    """
    if easing == "auto":
        easing = "ease_out" if kind in _OUT_BY_NATURE else "ease_in"
    come = _eased(_EASE_IN[kind], easing, u, shape)
    # Exactly at the keys, so that a key at 0 leaves its frame alone.
    return np.where(u <= 0, 0.0, np.where(u >= 1, shape.step, come))


def _eased(curve: Callable[[Array, Shape], Array], easing: str, u: Array, shape: Shape) -> Array:
    if easing == "ease_in_out":
        shape = _stretched(shape, _BACK_IN_OUT, 0.45)
        first = u < 0.5
        half = curve(np.where(first, 2 * u, 2 - 2 * u), shape) / 2
        return np.where(first, half, shape.step - half)
    shape = _stretched(shape, 1.0, 0.3)
    return curve(u, shape) if easing == "ease_in" else shape.step - curve(1 - u, shape)


def _stretched(shape: Shape, back: float, period: float) -> Shape:
    periods = np.where(shape.period == 0, period * shape.duration, shape.period)
    return Shape(shape.step, shape.duration, shape.back * back, shape.amplitude, periods)
