"""Automatic handles that keep acceleration continuous from segment to segment.

With handles a third of a segment long the Bézier is a cubic in time, and an even second derivative
across a key is one linear equation in the slopes at three neighbouring keys: a tridiagonal system
per run of automatic keys, as for a natural cubic spline. Clamped keys bound their slopes, so the
system is solved with bounds by an active set: slopes beyond theirs are held there, and let go again
if they would move back inside.

Source: de Boor, "A Practical Guide to Splines" (1978), for the system; behaviour checked against
Blender's "Continuous Acceleration".
"""

# scipy ships no types: what comes out of it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy
from numpy.typing import NDArray

from keyframes.curves.sides import Ends, Sides

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_FEW = 64
_RELEASES = 2
"""How often a held slope may be let go, so that the search ends."""


@dataclass(frozen=True)
class TridiagonalSystem:
    """`before·h[i−1] + here·h[i] + after·h[i+1] = right` for rises h of right handles, `(n,)` each.

    Attributes:
        before: factor of the rise before; the first one wraps if `cyclic`.
        here: factor of the rise itself.
        after: factor of the rise after; the last one wraps if `cyclic`.
        right: right-hand side.
        low: lower bounds of the rises.
        high: upper bounds of the rises.
    """

    before: Array
    here: Array
    after: Array
    right: Array
    low: Array
    high: Array

    def solved(self, held: Flags, at: Array) -> Array:
        """Rises with some of them held at given values."""
        before, after = np.where(held, 0.0, self.before), np.where(held, 0.0, self.after)
        here, right = np.where(held, 1.0, self.here), np.where(held, at, self.right)
        if before[0] or after[-1]:
            rises = _solved_around(before, here, after, right)
        elif len(here) <= _FEW:
            rises = np.array(_solved_in_turn(*(x.tolist() for x in (before, here, after, right))))
        else:
            bands = np.stack([np.roll(after, 1), here, np.roll(before, -1)])
            rises = np.asarray(scipy.linalg.solve_banded((1, 1), bands, right))
        return np.where(held, at, rises)

    def pull(self, rises: Array) -> Array:
        """Which way each rise would move if it were let go: the sign counts."""
        state = self.here * rises - self.right
        state[1:] += self.before[1:] * rises[:-1]
        state[:-1] += self.after[:-1] * rises[1:]
        state[0] += self.before[0] * rises[-1]
        state[-1] += self.after[-1] * rises[0]
        return -state / self.here


def _solved_in_turn(
    before: list[float], here: list[float], after: list[float], right: list[float]
) -> list[float]:
    """Few equations by elimination in turn (Thomas), which a call to LAPACK costs ten times."""
    factors, found = [after[0] / here[0]], [right[0] / here[0]]
    for a, b, c, d in zip(before[1:], here[1:], after[1:], right[1:], strict=True):
        scale = b - a * factors[-1]
        factors.append(c / scale)
        found.append((d - a * found[-1]) / scale)
    for place in range(len(found) - 2, -1, -1):
        found[place] -= factors[place] * found[place + 1]
    return found


def _solved_around(before: Array, here: Array, after: Array, right: Array) -> Array:
    """The same where the first and the last key are neighbours."""
    rows = np.arange(len(here))
    matrix = np.diag(here)
    np.add.at(matrix, (rows, rows - 1), before)
    np.add.at(matrix, (rows, (rows + 1) % len(here)), after)
    return np.asarray(np.linalg.solve(matrix, right), np.float64)


def bounded_rises(system: TridiagonalSystem) -> Array:
    """The solution within its bounds."""
    count = len(system.here)
    held, at = np.zeros(count, bool), np.zeros(count)
    releases = np.zeros(count, np.int64)
    while True:
        rises = system.solved(held, at)
        beyond = (rises < system.low) | (rises > system.high)
        target = np.where(rises > system.high, system.high, system.low)
        # Slopes that go the right way but too far are held first; the wrong way often resolves.
        chosen = beyond & (target != 0)
        if beyond.any():
            chosen = chosen if chosen.any() else beyond
            held |= chosen
            at = np.where(chosen, target, at)
            continue
        pull = system.pull(rises)
        inward = ((pull > 0) & (rises < system.high)) | ((pull < 0) & (rises > system.low))
        freed = held & inward & (releases < _RELEASES)
        if not freed.any():
            return rises
        held &= ~freed
        releases += freed


@dataclass(frozen=True)
class AutoKeys:
    """What the smoothing needs to know of a channel's keys, `(K,)` each.

    Attributes:
        times: strictly increasing.
        values: in the channel's unit.
        free: both handles automatic, and not held level at an extreme or a flat end.
        clamped: a handle of the key is clamped.
        vector: the handle points at its neighbour.
        open: the handle is automatic and not held level.
        mirrors: the left handle of the first key, or the right one of the last key, follows the
            handle across.
    """

    times: Array
    values: Array
    free: Flags
    clamped: Flags
    vector: Sides[Flags]
    open: Sides[Flags]
    mirrors: Sides[Flags]


@dataclass(frozen=True)
class KeyRun:
    """A stretch of free keys with the keys that bound it.

    Attributes:
        left: key number by which each place is arrived at, for left handles.
        right: key number by which it is left. It differs where a loop goes from its last key on
            to its first: one place, two keys.
        is_loop: the places go round, and the last is the first again.
    """

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    is_loop: bool = False


def runs_of(free: Flags, cyclic: bool) -> list[KeyRun]:
    """All stretches of free keys, in order."""
    count = len(free)
    if not cyclic:
        bounds = [0, *(key for key in range(1, count - 1) if not free[key]), count - 1]
        rows = [np.arange(first, last + 1) for first, last in pairwise(bounds)]
        return [KeyRun(row, row) for row in rows]
    bounds = [key for key in range(1, count - 1) if not free[key]]
    if not bounds:
        keys = np.arange(count)
        return [KeyRun(keys, keys, is_loop=True)]
    rows = [np.arange(first, last + 1) for first, last in pairwise(bounds)]
    around = np.arange(bounds[-1], bounds[0] + count)
    left = np.where(around >= count, around - count + 1, around)
    right = np.where(around >= count - 1, around - count + 1, around)
    return [*(KeyRun(row, row) for row in rows), KeyRun(left, right)]


def smooth_run(keys: AutoKeys, run: KeyRun, handles: Sides[Array]) -> None:
    """Moves the free handles of one run, in place.

    Args:
        keys: of the channel.
        run: at least two places.
        handles: `(K, 2)` offsets each.
    """
    solves = Ends(True, True) if run.is_loop else _solved_ends(keys, run)
    if len(run.left) == 2 and not run.is_loop and solves.first == solves.last:
        return
    shape = _shape(keys, run)
    moves = Sides(*(np.ones(len(run.left), bool) for _ in Sides._fields))
    moves.left[0] = moves.right[-1] = False
    if run.is_loop:
        found = bounded_rises(_loop(keys, run, shape))
        found = np.append(found, found[0])
    else:
        moves.right[0], moves.left[-1] = solves
        found = bounded_rises(_open(keys, run, shape, handles, solves))
    handles.left[run.left[moves.left], 1] = (-found / shape.ratio)[moves.left]
    handles.right[run.right[moves.right], 1] = found[moves.right]
    last = len(keys.times) - 1
    if (run.right[moves.right] == 0).any() and keys.mirrors.left[0]:
        handles.left[0] = -handles.right[0]
    if (run.left[moves.left] == last).any() and keys.mirrors.right[last]:
        handles.right[last] = -handles.left[last]


@dataclass(frozen=True)
class _Shape:
    """Steps and rises between a run's places, and each step's ratio to the one before."""

    steps: Array
    rises: Array
    ratio: Array


def _shape(keys: AutoKeys, run: KeyRun) -> _Shape:
    steps = keys.times[run.left[1:]] - keys.times[run.right[:-1]]
    rises = keys.values[run.left[1:]] - keys.values[run.right[:-1]]
    ratio = np.ones(len(run.left))
    ratio[1:-1] = steps[1:] / steps[:-1]
    if run.is_loop:
        ratio[[0, -1]] = steps[0] / steps[-1]
    return _Shape(steps, rises, ratio)


def _solved_ends(keys: AutoKeys, run: KeyRun) -> Ends[bool]:
    """Whether the handles at a run's bounds move with it: vectors, and the curve's own ends."""
    first, last = run.right[0], run.left[-1]
    starts, stops = first == 0, last == len(keys.times) - 1
    return Ends(
        bool(keys.vector.right[first] or (starts and keys.open.right[first])),
        bool(keys.vector.left[last] or (stops and keys.open.left[last])),
    )


def _loop(keys: AutoKeys, run: KeyRun, shape: _Shape) -> TridiagonalSystem:
    ratio = shape.ratio[:-1]
    low, high = _bounds(keys, run, shape)
    low[0], high[0] = max(low[0], low[-1]), min(high[0], high[-1])
    return TridiagonalSystem(
        ratio**2,
        2 * (ratio + 1),
        1 / np.roll(ratio, -1),
        np.roll(shape.rises, 1) * ratio**2 + shape.rises,
        low[:-1],
        high[:-1],
    )


def _open(
    keys: AutoKeys,
    run: KeyRun,
    shape: _Shape,
    handles: Sides[Array],
    solves: Ends[bool],
) -> TridiagonalSystem:
    rises, ratio = shape.rises, shape.ratio
    count = len(ratio)
    before, here, after, target = (np.zeros(count) for _ in range(4))
    inner = slice(1, -1)
    before[inner] = ratio[inner] ** 2
    here[inner] = 2 * (ratio[inner] + 1)
    after[inner] = 1 / ratio[2:]
    target[inner] = rises[:-1] * ratio[inner] ** 2 + rises[1:]
    at_first = at_last = 0.0
    if solves.first:
        here[0], after[0], target[0] = 2.0, 1 / ratio[1], rises[0]
    else:
        at_first, target[0] = _given(handles.right[run.right[0]], float(shape.steps[0]))
        here[0] = 1.0
    if solves.last:
        before[-1], here[-1] = ratio[-1] ** 2, 2 * ratio[-1]
        target[-1] = rises[-1] * ratio[-1] ** 2
    else:
        at_last, target[-1] = _given(-handles.left[run.left[-1]], float(shape.steps[-1]))
        here[-1] = 1.0
    if count > 2 or solves.last:
        here[1] += ratio[1] * at_first
    if count > 2 or solves.first:
        here[-2] += at_last
    low, high = _bounds(keys, run, shape)
    return TridiagonalSystem(before, here, after, target, low, high)


def _given(handle: Array, step: float) -> tuple[float, float]:
    """Of a handle that stays: how far it is from a third of the segment, and its rise."""
    length, rise = abs(float(handle[0])), float(handle[1])
    factor = min(1.0, step / (length + step / 3))
    return 1 - 3 * length * factor / step, rise * factor


def _bounds(keys: AutoKeys, run: KeyRun, shape: _Shape) -> tuple[Array, Array]:
    """Limits that keep clamped handles between their keys' values."""
    clamped = keys.clamped[run.left] | keys.clamped[run.right]
    if run.is_loop:
        clamped[-1] |= clamped[0]
    free = np.where(clamped, 0.0, np.inf)
    low, high = np.full(len(clamped), -np.inf), np.full(len(clamped), np.inf)
    for places, reach in (
        (slice(None, -1), shape.rises),
        (slice(1, None), shape.rises * shape.ratio[1:]),
    ):
        low[places] = np.maximum(low[places], np.minimum(reach, 0.0) - free[places])
        high[places] = np.minimum(high[places], np.maximum(reach, 0.0) + free[places])
    return low, high
