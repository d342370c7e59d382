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

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_RELEASES = 2
"""How often a held slope may be let go, so that the search ends."""


@dataclass(frozen=True)
class System:
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
        else:
            bands = np.stack([np.roll(after, 1), here, np.roll(before, -1)])
            rises = np.asarray(scipy.linalg.solve_banded((1, 1), bands, right))
        return np.where(held, at, rises)

    def pull(self, rises: Array) -> Array:
        """Which way each rise would move if it were let go: the sign counts."""
        state = self.here * rises - self.right
        state += self.before * np.roll(rises, 1) + self.after * np.roll(rises, -1)
        return -state / self.here


def _solved_around(before: Array, here: Array, after: Array, right: Array) -> Array:
    """The same where the first and the last key are neighbours."""
    rows = np.arange(len(here))
    matrix = np.diag(here)
    np.add.at(matrix, (rows, rows - 1), before)
    np.add.at(matrix, (rows, (rows + 1) % len(here)), after)
    return np.asarray(np.linalg.solve(matrix, right), np.float64)


def bounded_rises(system: System) -> Array:
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
        vector_left: the left handle points at its neighbour.
        vector_right: the right handle does.
        open_left: the left handle is automatic and not held level.
        open_right: the right handle is.
        mirrors_left: the left handle of the first key follows its right one.
        mirrors_right: the right handle of the last key follows its left one.
    """

    times: Array
    values: Array
    free: Flags
    clamped: Flags
    vector_left: Flags
    vector_right: Flags
    open_left: Flags
    open_right: Flags
    mirrors_left: Flags
    mirrors_right: Flags


@dataclass(frozen=True)
class Run:
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


def runs_of(free: Flags, cyclic: bool) -> list[Run]:
    """All stretches of free keys, in order."""
    count = len(free)
    if not cyclic:
        bounds = [0, *(key for key in range(1, count - 1) if not free[key]), count - 1]
        rows = [np.arange(first, last + 1) for first, last in pairwise(bounds)]
        return [Run(row, row) for row in rows]
    bounds = [key for key in range(1, count - 1) if not free[key]]
    if not bounds:
        keys = np.arange(count)
        return [Run(keys, keys, is_loop=True)]
    rows = [np.arange(first, last + 1) for first, last in pairwise(bounds)]
    around = np.arange(bounds[-1], bounds[0] + count)
    left = np.where(around >= count, around - count + 1, around)
    right = np.where(around >= count - 1, around - count + 1, around)
    return [*(Run(row, row) for row in rows), Run(left, right)]


def smooth_run(keys: AutoKeys, run: Run, left: Array, right: Array) -> None:
    """Moves the free handles of one run, in place.

    Args:
        keys: of the channel.
        run: at least two places.
        left: `(K, 2)` handle offsets.
        right: `(K, 2)` handle offsets.
    """
    shape = _shape(keys, run)
    moves_left, moves_right = (np.ones(len(run.left), bool) for _ in range(2))
    moves_left[0] = moves_right[-1] = False
    if run.is_loop:
        found = bounded_rises(_loop(keys, run, shape))
        found = np.append(found, found[0])
    else:
        solves = _solved_ends(keys, run)
        if len(run.left) == 2 and solves[0] == solves[1]:
            return
        moves_right[0], moves_left[-1] = solves
        found = bounded_rises(_open(keys, run, shape, (left, right), solves))
    left[run.left[moves_left], 1] = (-found / shape.ratio)[moves_left]
    right[run.right[moves_right], 1] = found[moves_right]
    last = len(keys.times) - 1
    if (run.right[moves_right] == 0).any() and keys.mirrors_left[0]:
        left[0] = -right[0]
    if (run.left[moves_left] == last).any() and keys.mirrors_right[last]:
        right[last] = -left[last]


@dataclass(frozen=True)
class _Shape:
    """Steps and rises between a run's places, and each step's ratio to the one before."""

    steps: Array
    rises: Array
    ratio: Array


def _shape(keys: AutoKeys, run: Run) -> _Shape:
    steps = keys.times[run.left[1:]] - keys.times[run.right[:-1]]
    rises = keys.values[run.left[1:]] - keys.values[run.right[:-1]]
    ratio = np.ones(len(run.left))
    ratio[1:-1] = steps[1:] / steps[:-1]
    if run.is_loop:
        ratio[[0, -1]] = steps[0] / steps[-1]
    return _Shape(steps, rises, ratio)


def _solved_ends(keys: AutoKeys, run: Run) -> tuple[bool, bool]:
    """Whether the handles at a run's bounds move with it: vectors, and the curve's own ends."""
    first, last = run.right[0], run.left[-1]
    at_ends = first == 0, last == len(keys.times) - 1
    return (
        bool(keys.vector_right[first] or (at_ends[0] and keys.open_right[first])),
        bool(keys.vector_left[last] or (at_ends[1] and keys.open_left[last])),
    )


def _loop(keys: AutoKeys, run: Run, shape: _Shape) -> System:
    ratio = shape.ratio[:-1]
    low, high = _bounds(keys, run, shape)
    low[0], high[0] = max(low[0], low[-1]), min(high[0], high[-1])
    return System(
        ratio**2,
        2 * (ratio + 1),
        1 / np.roll(ratio, -1),
        np.roll(shape.rises, 1) * ratio**2 + shape.rises,
        low[:-1],
        high[:-1],
    )


def _open(
    keys: AutoKeys,
    run: Run,
    shape: _Shape,
    handles: tuple[Array, Array],
    solves: tuple[bool, bool],
) -> System:
    rises, ratio = shape.rises, shape.ratio
    count = len(ratio)
    before, here, after, target = (np.zeros(count) for _ in range(4))
    inner = slice(1, -1)
    before[inner] = ratio[inner] ** 2
    here[inner] = 2 * (ratio[inner] + 1)
    after[inner] = 1 / ratio[2:]
    target[inner] = rises[:-1] * ratio[inner] ** 2 + rises[1:]
    adjust = [0.0, 0.0]
    if solves[0]:
        here[0], after[0], target[0] = 2.0, 1 / ratio[1], rises[0]
    else:
        adjust[0], target[0] = _given(handles[1][run.right[0]], float(shape.steps[0]))
        here[0] = 1.0
    if solves[1]:
        before[-1], here[-1] = ratio[-1] ** 2, 2 * ratio[-1]
        target[-1] = rises[-1] * ratio[-1] ** 2
    else:
        adjust[1], target[-1] = _given(-handles[0][run.left[-1]], float(shape.steps[-1]))
        here[-1] = 1.0
    if count > 2 or solves[1]:
        here[1] += ratio[1] * adjust[0]
    if count > 2 or solves[0]:
        here[-2] += adjust[1]
    low, high = _bounds(keys, run, shape)
    return System(before, here, after, target, low, high)


def _given(handle: Array, step: float) -> tuple[float, float]:
    """Of a handle that stays: how far it is from a third of the segment, and its rise."""
    length, rise = abs(float(handle[0])), float(handle[1])
    factor = min(1.0, step / (length + step / 3))
    return 1 - 3 * length * factor / step, rise * factor


def _bounds(keys: AutoKeys, run: Run, shape: _Shape) -> tuple[Array, Array]:
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
