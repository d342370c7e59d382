"""One channel's keys on a clip's clock, evaluated at any times.

The interpolation belongs to a segment's left key, as in Blender. Everything is vectorised: samples
are grouped by their segment's interpolation, in chunks, so memory grows with the samples alone.
"""

# scipy ships no types: what comes out of them is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
import scipy
from numpy.typing import NDArray

from keyframes.clock.spans import Spans, union
from keyframes.curves.bezier import limit_to_segment, solve_parameter
from keyframes.curves.easing import EASED, EASINGS, Shape, ease
from keyframes.curves.sides import Ends
from keyframes.errors import KeyframeError

Array = NDArray[np.float64]

INTERPOLATIONS: tuple[str, ...] = ("constant", "linear", "bezier", *EASED, "pchip")
EXTRAPOLATIONS: tuple[str, ...] = (
    "hold",
    "linear",
    "cycle",
    "cycle_offset",
    "ping_pong",
    "ping_pong_offset",
)
CYCLES = frozenset({"cycle", "cycle_offset"})
_CHUNK = 1 << 15
_SHORTEST = 1e-9
_ROUNDED = frozenset({"bezier", "pchip"})
"""Interpolations that give a value between two equal ones but for rounding; 0 exactly."""


@dataclass(frozen=True)
class Curve:
    """Keys resolved to seconds; `(K,)` arrays, K ≥ 1.

    Attributes:
        times_s: strictly increasing seconds.
        values: in the channel's unit.
        interpolations: one of INTERPOLATIONS per key, for the segment to its right.
        easings: one of EASINGS per key.
        left: `(K, 2)` Bézier handle offsets (seconds ≤ 0, value).
        right: `(K, 2)` Bézier handle offsets (seconds ≥ 0, value).
        back: overshoot of `back` segments.
        amplitude: of `elastic` segments.
        period: of `elastic` segments, seconds; 0 for its default share of the segment.
        before: one of EXTRAPOLATIONS, ahead of the first key.
        after: one of EXTRAPOLATIONS, past the last key.
    """

    times_s: Array
    values: Array
    interpolations: NDArray[np.str_]
    easings: NDArray[np.str_]
    left: Array
    right: Array
    back: Array
    amplitude: Array
    period: Array
    before: str = "hold"
    after: str = "hold"

    def __post_init__(self) -> None:
        if len(self.times_s) == 0 or not (np.diff(self.times_s) > 0).all():
            raise KeyframeError("curve: key times must be there and strictly increasing")
        if not (np.isfinite(self.times_s).all() and np.isfinite(self.values).all()):
            raise KeyframeError("curve: key times and values must be finite")

    def at(self, times_s: Array) -> Array:
        """Values at `(N,)` seconds, inside and outside the keys."""
        out = np.empty(len(times_s))
        for start in range(0, len(times_s), _CHUNK):
            piece = slice(start, start + _CHUNK)
            out[piece] = self._at(np.asarray(times_s[piece], np.float64))
        return out

    def departs(self, rest: float) -> Spans:
        """When its values may be others than `rest`; never too little, at most too much."""
        moves = np.array([self._moves(key, rest) for key in range(len(self.times_s) - 1)], bool)
        keys = self.times_s.tolist()
        segments = [(keys[key], keys[key + 1]) for key in np.flatnonzero(moves).tolist()]
        ends = [(-inf, keys[0])] * self._moves_beyond(self.before, 0, rest, moves)
        ends += [(keys[-1], inf)] * self._moves_beyond(self.after, -1, rest, moves)
        return union((*segments, *ends))

    def _moves(self, key: int, rest: float) -> bool:
        """Whether a segment may leave `rest`; what its right key holds alone, the next one says."""
        kind = str(self.interpolations[key])
        low, high = self.values[key], self.values[key + 1]
        if low != rest or kind == "constant":
            return bool(low != rest)
        if high != rest or (kind in _ROUNDED and rest):
            return True
        if kind == "bezier":
            return bool(self._bezier.first[key, 1] or self._bezier.last[key, 1])
        if kind == "pchip":
            return bool(self._tangents[key] or self._tangents[key + 1])
        return kind == "elastic" and bool(self.amplitude[key])

    def _moves_beyond(self, how: str, end: int, rest: float, moves: NDArray[np.bool_]) -> bool:
        if self.values[end] != rest:
            return True
        if how == "hold":
            return False
        if how == "linear" or len(self.times_s) == 1:
            return bool(self._end_slope(end))
        return bool(moves.any()) or bool((self.values != rest).any())

    def handle_lines(self) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        """Bézier handles as they act, for pictures: from a key to a handle's tip."""
        lines: list[tuple[tuple[float, float], tuple[float, float]]] = []
        first, last = self._bezier
        for segment in np.flatnonzero(self.interpolations[:-1] == "bezier").tolist():
            for key, handle in ((segment, first[segment]), (segment + 1, last[segment])):
                start = float(self.times_s[key]), float(self.values[key])
                lines.append((start, (start[0] + float(handle[0]), start[1] + float(handle[1]))))
        return lines

    def slope_at_key(self, key: int) -> float:
        """Value per second that PCHIP gives a key."""
        return float(self._tangents[key]) if len(self.times_s) > 1 else 0.0

    def _at(self, times: Array) -> Array:
        first, last = self.times_s[0], self.times_s[-1]
        inside = self._inside(np.clip(times, first, last))
        for rows, how, end in ((times < first, self.before, 0), (times > last, self.after, -1)):
            if how != "hold" and rows.any():
                inside[rows] = self._beyond(times[rows], how, end)
        return inside

    def _beyond(self, times: Array, how: str, end: int) -> Array:
        if how == "linear" or len(self.times_s) == 1:
            return self.values[end] + self._end_slope(end) * (times - self.times_s[end])
        first, last = self.times_s[0], self.times_s[-1]
        low, high = self.values[0], self.values[-1]
        turn = np.floor((times - first) / (last - first))
        phase = np.clip(times - turn * (last - first), first, last)
        odd = turn % 2 == 1
        if how.startswith("cycle"):
            values = self._inside(phase)
        else:
            values = self._inside(np.where(odd, first + last - phase, phase))
        if how == "ping_pong_offset":
            values = np.where(odd, low + high - values, values)
        return values + turn * (high - low) if how.endswith("offset") else values

    def _end_slope(self, end: int) -> float:
        """Value per second in which a curve goes on beyond its end key."""
        kind = self.interpolations[end]
        if kind == "constant" or (len(self.times_s) == 1 and kind in ("linear", "pchip")):
            return 0.0
        if kind == "linear":
            steps = np.diff(self.values) / np.diff(self.times_s)
            return float(steps[end])
        if kind == "pchip":
            return float(self._tangents[end])
        run, rise = (self.left if end == 0 else self.right)[end]
        return float(rise / run) if abs(run) > _SHORTEST else 0.0

    @cached_property
    def _tangents(self) -> Array:
        spline = scipy.interpolate.PchipInterpolator(self.times_s, self.values)
        return np.asarray(spline.derivative()(self.times_s))

    @cached_property
    def _bezier(self) -> Ends[Array]:
        return limit_to_segment(Ends(self.right[:-1], self.left[1:]), np.diff(self.times_s))

    @cached_property
    def _kinds(self) -> NDArray[np.intp]:
        """Interpolation and easing of each key as one number."""
        kinds = np.array([INTERPOLATIONS.index(kind) for kind in self.interpolations.tolist()])
        easings = np.array([EASINGS.index(easing) for easing in self.easings.tolist()])
        return kinds * len(EASINGS) + easings

    def _inside(self, times: Array) -> Array:
        """Values between the first and the last key."""
        if len(self.times_s) == 1:
            return np.full(len(times), self.values[0])
        key = np.searchsorted(self.times_s, times, side="right") - 1
        key = np.clip(key, 0, len(self.times_s) - 2)
        kinds = self._kinds[key]
        out = np.empty(len(times))
        for kind in np.unique(kinds).tolist():
            rows = kinds == kind
            name = INTERPOLATIONS[kind // len(EASINGS)]
            out[rows] = self._segment(name, EASINGS[kind % len(EASINGS)], times[rows], key[rows])
        exact = times == self.times_s[-1]
        out[exact] = self.values[-1]
        return out

    def _segment(self, kind: str, easing: str, times: Array, key: NDArray[np.intp]) -> Array:
        low = self.values[key]
        if kind == "constant":
            return low
        duration = self.times_s[key + 1] - self.times_s[key]
        step = self.values[key + 1] - low
        u = (times - self.times_s[key]) / duration
        if kind == "linear":
            return low + step * u
        if kind == "bezier":
            return self._bezier_at(u, key, duration)
        if kind == "pchip":
            return self._hermite_at(u, key, duration)
        shape = Shape(step, duration, self.back[key], self.amplitude[key], self.period[key])
        return low + ease(kind, easing, u, shape)

    def _bezier_at(self, u: Array, key: NDArray[np.intp], duration: Array) -> Array:
        handles = self._bezier
        away, back = handles.first[key], handles.last[key]
        s = solve_parameter(u, away[:, 0] / duration, 1 + back[:, 0] / duration)
        low, high = self.values[key], self.values[key + 1]
        first, second = low + away[:, 1], high + back[:, 1]
        t = 1 - s
        return t**3 * low + 3 * t * s * (t * first + s * second) + s**3 * high

    def _hermite_at(self, u: Array, key: NDArray[np.intp], duration: Array) -> Array:
        low, high = self.values[key], self.values[key + 1]
        start, end = self._tangents[key] * duration, self._tangents[key + 1] * duration
        t = 1 - u
        return t * t * ((1 + 2 * u) * low + u * start) + u * u * ((1 + 2 * t) * high - t * end)
