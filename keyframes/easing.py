"""Penner's easings as Blender defines them, vectorised over segments.

Each family is one ease-in shape; out and in-out are its mirror images. Blender's own variations
(an exponential that starts at exactly 0, an elastic faded in where its amplitude is below the
step) are kept, since curves must look the same there.

Source: R. Penner, "Motion, Tweening, and Easing" (2002); behaviour checked against bpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EASINGS: tuple[str, ...] = ("auto", "ease_in", "ease_out", "ease_in_out")
BACK_DEFAULT = 1.70158
"""Overshoot of about a tenth of the step."""
_BACK_IN_OUT = 1.525
_OUT_BY_NATURE = frozenset({"back", "bounce", "elastic"})


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


def _expo(u: Array, _: Shape) -> Array:
    low = 2.0**-10
    return (np.exp2(10 * (u - 1)) - low) / (1 - low)


def _back(u: Array, shape: Shape) -> Array:
    return u * u * ((shape.back + 1) * u - shape.back)


def _bounce(u: Array, _: Shape) -> Array:
    v = 1 - u
    centres = np.select([v < 1 / 2.75, v < 2 / 2.75, v < 2.5 / 2.75], [0.0, 1.5, 2.25], 2.625)
    floors = np.select([v < 1 / 2.75, v < 2 / 2.75, v < 2.5 / 2.75], [0.0, 0.75, 0.9375], 0.984375)
    return 1 - (7.5625 * (v - centres / 2.75) ** 2 + floors)


def _elastic(u: Array, shape: Shape) -> Array:
    size = np.abs(shape.step)
    flat = size == 0
    step = np.where(flat, 1.0, shape.step)
    small = (shape.amplitude == 0) | (shape.amplitude < size)
    ratio = np.where(small, 1.0, np.abs(shape.amplitude) / np.where(flat, 1.0, size))
    turn = 2 * np.pi / shape.period
    lead = np.where(
        small,
        shape.period / 4,
        np.arcsin(np.clip(np.sign(step) / np.maximum(ratio, 1.0), -1, 1)) / turn,
    )
    gain = np.where(small, np.sign(step), ratio) * np.sign(step)
    tau = (u - 1) * shape.duration
    strength = np.where(small, np.abs(shape.amplitude) / np.where(flat, 1.0, size), 1.0)
    near = np.abs(tau) < np.abs(lead)
    blend = np.abs(tau) / np.where(lead == 0, 1.0, np.abs(lead))
    fade = np.where(small & near, strength * blend + (1 - blend), strength)
    wave = -fade * gain * np.exp2(10 * (u - 1)) * np.sin((tau - lead) * turn)
    return np.where(u <= 0, 0.0, np.where(u >= 1, 1.0, wave))


_EASE_IN: dict[str, Callable[[Array, Shape], Array]] = {
    "sine": lambda u, _: 1 - np.cos(u * np.pi / 2),
    "quad": lambda u, _: u**2,
    "cubic": lambda u, _: u**3,
    "quart": lambda u, _: u**4,
    "quint": lambda u, _: u**5,
    "expo": _expo,
    "circ": lambda u, _: 1 - np.sqrt(np.maximum(0.0, 1 - u * u)),
    "back": _back,
    "bounce": _bounce,
    "elastic": _elastic,
}
EASED: tuple[str, ...] = tuple(_EASE_IN)
"""Interpolations that take an easing."""


def ease(kind: str, easing: str, u: Array, shape: Shape) -> Array:
    """Share of the step done at a share of the segment.

    Args:
        kind: one of EASED.
        easing: one of EASINGS; `auto` is ease-in, but ease-out for back, bounce and elastic.
        u: `(N,)`, 0…1.
        shape: the segments' own numbers, `(N,)` each.

    Returns:
        `(N,)`: 0 at 0 and 1 at 1; outside 0…1 between for back and elastic.
    """
    curve = _EASE_IN[kind]
    if easing == "auto":
        easing = "ease_out" if kind in _OUT_BY_NATURE else "ease_in"
    if easing == "ease_in_out":
        shape = _stretched(shape, _BACK_IN_OUT, 0.45)
        first = u < 0.5
        half = curve(np.where(first, 2 * u, 2 - 2 * u), shape) / 2
        return np.where(first, half, 1 - half)
    shape = _stretched(shape, 1.0, 0.3)
    return curve(u, shape) if easing == "ease_in" else 1 - curve(1 - u, shape)


def _stretched(shape: Shape, back: float, period: float) -> Shape:
    periods = np.where(shape.period == 0, period * shape.duration, shape.period)
    return Shape(shape.step, shape.duration, shape.back * back, shape.amplitude, periods)
