"""Bézier segments: handles from neighbouring keys, and the curve through them.

Handles are offsets (time, value) from their key. The five kinds are Blender's, computed as Blender
computes them, with and without its auto smoothing; `ease` is After Effects' pair of speed and
influence.

Source: Blender manual, "F-Curves: Handle Types"; behaviour checked against bpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keyframes.curves.acceleration import AutoKeys, runs_of, smooth_run
from keyframes.curves.sides import Ends, Sides

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Kinds = NDArray[np.str_]

HANDLE_KINDS: tuple[str, ...] = ("auto_clamped", "auto", "vector", "aligned", "free")
_AUTO = ("auto", "auto_clamped")
_AUTO_LENGTH = 2 * 2.5614
"""An auto handle is 2 / 5.1228 of its segment long: near a circle's Bézier (Blender)."""
_THIRD_LENGTH = 6.0
_SHORTEST = 1e-9
_UNEVEN = 5.0
"""Of two neighbouring segments the longer counts as at most this many times the shorter."""


@dataclass(frozen=True)
class HandleRequest:
    """What the file asks of the handles on one side, `(K,)` each.

    Attributes:
        kinds: one of HANDLE_KINDS per key.
        offsets: `(K, 2)` time and value offsets for `free` and `aligned`; NaN where not given.
    """

    kinds: NDArray[np.str_]
    offsets: Array


@dataclass(frozen=True)
class Neighbours:
    """Steps in time and value from the key before and to the key after, `(K,)` each."""

    time_before: Array
    value_before: Array
    time_after: Array
    value_after: Array


def _neighbours(times: Array, values: Array, cyclic: bool) -> Neighbours:
    steps, rises = np.diff(times), np.diff(values)
    ends = (-1, 0) if cyclic else (0, -1)
    return Neighbours(
        np.concatenate([steps[[ends[0]]], steps]),
        np.concatenate([rises[[ends[0]]], rises]),
        np.concatenate([steps, steps[[ends[1]]]]),
        np.concatenate([rises, rises[[ends[1]]]]),
    )


def _clamped(rise: Array, near: Neighbours, side: str) -> tuple[Array, Flags]:
    """Auto handles kept level at extremes and inside their neighbour's value; which were cut."""
    extreme = near.value_before * near.value_after <= 0
    limit = -near.value_before if side == "left" else near.value_after
    beyond = np.abs(rise) > np.abs(limit)
    cut = ~extreme & beyond
    return np.where(extreme, 0.0, np.where(cut, limit, rise)), cut


def _auto(
    near: Neighbours, clamp: Sides[Flags], inner: Flags, continuous: bool
) -> tuple[Sides[Array], Sides[Flags]]:
    """Automatic handles on both sides, and where the clamp cut them."""
    before, after, length = near.time_before, near.time_after, _THIRD_LENGTH
    if not continuous:
        before = np.minimum(before, _UNEVEN * after)
        after = np.minimum(after, _UNEVEN * before)
        length = _AUTO_LENGTH
    slope = near.value_before / near.time_before + near.value_after / near.time_after
    handles = Sides(
        np.stack([-2 * before, -slope * before], axis=1) / length,
        np.stack([2 * after, slope * after], axis=1) / length,
    )
    cuts: list[Flags] = []
    for side, handle, asked in zip(Sides._fields, handles, clamp, strict=True):
        rows = asked & inner
        rise, cut = _clamped(handle[:, 1], near, side)
        handle[:, 1] = np.where(rows, rise, handle[:, 1])
        cuts.append(cut & rows)
    cut_left, cut_right = cuts
    return handles, Sides(cut_left, cut_right & ~cut_left)


def _slope(handle: Array) -> Array:
    """Value per time along handles; 0 for those without a length in time."""
    short = np.abs(handle[:, 0]) < _SHORTEST
    return np.where(short, 0.0, handle[:, 1] / np.where(short, 1.0, handle[:, 0]))


def _turn(turned: Array, guide: Array, rows: Flags) -> None:
    """Turn handles into line with those across their key, in place; their time stays."""
    turned[rows, 1] = (turned[:, 0] * _slope(guide))[rows]


def _align(placed: Sides[Array], kinds: Sides[Kinds]) -> None:
    """Turn aligned handles into one line through their key, in place."""
    given = Sides(*(~np.isnan(handle[:, 0]) for handle in placed))
    both = given.left & given.right & (kinds.right == "aligned")
    for turned, guide, rows, own in (
        (placed.right, placed.left, (kinds.right == "aligned") & given.left, given.right),
        (placed.left, placed.right, (kinds.left == "aligned") & given.right & ~both, given.left),
    ):
        reach = np.where(own, np.abs(turned[:, 0]), np.abs(guide[:, 0]))
        slope = _slope(guide)
        direction = -np.sign(guide[:, 0])
        turned[rows, 0] = (direction * reach)[rows]
        turned[rows, 1] = (direction * reach * slope)[rows]


def _place_vectors(placed: Sides[Array], near: Neighbours, kinds: Sides[Kinds]) -> None:
    """Point handles a third of the way at the neighbouring keys, in place."""
    before = -np.stack([near.time_before, near.value_before], axis=1) / 3
    after = np.stack([near.time_after, near.value_after], axis=1) / 3
    for handle, target, kind in zip(placed, (before, after), kinds, strict=True):
        rows = kind == "vector"
        handle[rows] = target[rows]


def place_handles(
    times: Array,
    values: Array,
    left: HandleRequest,
    right: HandleRequest,
    *,
    flat_ends: tuple[bool, bool] = (True, True),
    cyclic: bool = False,
    continuous: bool = False,
) -> Sides[Array]:
    """Handle offsets of every key.

    Args:
        times: `(K,)`, strictly increasing.
        values: `(K,)`.
        left: request for the sides facing the key before.
        right: request for the sides facing the key after.
        flat_ends: whether automatic handles of the first and last key lie level, as they do
            where the curve holds beyond them.
        cyclic: the curve repeats on both sides; its end keys, if automatic, see each other as
            neighbours.
        continuous: automatic handles keep acceleration continuous (Blender's auto smoothing).

    Returns:
        `(K, 2)` offsets each: time ≤ 0 on the left and ≥ 0 on the right.
    """
    if len(times) == 1:
        return Sides(np.nan_to_num(left.offsets), np.nan_to_num(right.offsets))
    kinds = Sides(left.kinds, right.kinds)
    both_auto = np.isin(kinds.left, _AUTO) & np.isin(kinds.right, _AUTO)
    cyclic = cyclic and bool(both_auto[0] and both_auto[-1])
    near = _neighbours(times, values, cyclic)
    inner, flat = np.ones(len(times), bool), np.zeros(len(times), bool)
    inner[[0, -1]] = cyclic
    flat[[0, -1]] = both_auto[[0, -1]] & flat_ends & (not cyclic)
    clamp = Sides(*(kind == "auto_clamped" for kind in kinds))
    automatic, cuts = _auto(near, clamp, inner, continuous)
    placed = _as_requested(Sides(left, right), automatic, cuts, near)
    _lay_flat(placed, flat)
    if continuous:
        level = _level(near, kinds, inner) | flat
        if cyclic and level[[0, -1]].any():
            cyclic = False
            level[[0, -1]] = True
            _lay_flat(placed, [0, -1])
        keys = _auto_keys(times, values, kinds, level)
        for run in runs_of(keys.free, cyclic):
            smooth_run(keys, run, placed)
    return placed


def _as_requested(
    requests: Sides[HandleRequest], automatic: Sides[Array], cuts: Sides[Flags], near: Neighbours
) -> Sides[Array]:
    """Handles by their kinds; automatic where nothing else was given."""
    kinds = Sides(*(request.kinds for request in requests))
    placed = Sides(*(request.offsets.copy() for request in requests))
    for handle, kind, auto in zip(placed, kinds, automatic, strict=True):
        rows = np.isin(kind, _AUTO) | ((kind == "free") & np.isnan(handle[:, 0]))
        handle[rows] = auto[rows]
    # Where a clamp cut one handle, Blender turns the other with it, even a free one.
    _turn(placed.right, placed.left, cuts.left)
    _turn(placed.left, placed.right, cuts.right)
    _place_vectors(placed, near, kinds)
    _align(placed, kinds)
    for handle, auto in zip(placed, automatic, strict=True):
        rows = np.isnan(handle[:, 0])
        handle[rows] = auto[rows]
    return placed


def _lay_flat(placed: Sides[Array], rows: Flags | list[int]) -> None:
    """Lay both handles of these keys level, in place."""
    for handle in placed:
        handle[rows, 1] = 0.0


def _auto_keys(times: Array, values: Array, kinds: Sides[Kinds], level: Flags) -> AutoKeys:
    auto = Sides(*(np.isin(kind, _AUTO) for kind in kinds))
    vector = Sides(*(kind == "vector" for kind in kinds))
    return AutoKeys(
        times,
        values,
        free=auto.left & auto.right & ~level,
        clamped=(kinds.left == "auto_clamped") | (kinds.right == "auto_clamped"),
        vector=vector,
        open=Sides(auto.left & ~level, auto.right & ~level),
        mirrors=Sides(auto.left | vector.left, auto.right | vector.right),
    )


def _level(near: Neighbours, kinds: Sides[Kinds], inner: Flags) -> Flags:
    """Clamped keys at an extreme, whose handles lie level."""
    clamped = (kinds.left == "auto_clamped") | (kinds.right == "auto_clamped")
    return clamped & inner & (near.value_before * near.value_after <= 0)


def limit_to_segment(handles: Ends[Array], durations: Array) -> Ends[Array]:
    """Handles shortened so that none reaches past the segment's other key (Blender does the same).

    Args:
        handles: `(S, 2)` offsets, right of the segments' first keys and left of their last ones.
        durations: `(S,)`.
    """

    def limited(handle: Array) -> Array:
        reach = np.abs(handle[:, 0])
        return handle * (durations / np.maximum(reach, durations))[:, None]

    return Ends(limited(handles.first), limited(handles.last))


def solve_parameter(x: Array, x1: Array, x2: Array) -> Array:
    """The parameter at which a Bézier time component reaches a time.

    Args:
        x: `(N,)`, 0…1 of the segment.
        x1: `(N,)`, time of the first handle, 0…1.
        x2: `(N,)`, time of the second handle, 0…1.

    Returns:
        `(N,)`, 0…1; Newton steps kept inside a shrinking bracket, to about 1e-12.
    """
    cubic, square, linear = 1 - 3 * x2 + 3 * x1, 3 * x2 - 6 * x1, 3 * x1
    s = x.copy()
    rows = np.arange(len(x))
    low, high = np.zeros_like(x), np.ones_like(x)
    for _ in range(64):
        now, a, b, c = s[rows], cubic[rows], square[rows], linear[rows]
        miss = ((a * now + b) * now + c) * now - x[rows]
        open_rows = np.abs(miss) > 1e-13
        if not open_rows.any():
            break
        rows, now, miss = rows[open_rows], now[open_rows], miss[open_rows]
        a, b, c = a[open_rows], b[open_rows], c[open_rows]
        low[rows] = np.where(miss < 0, now, low[rows])
        high[rows] = np.where(miss > 0, now, high[rows])
        slope = (3 * a * now + 2 * b) * now + c
        step = now - miss / np.where(slope > 1e-12, slope, np.inf)
        inside = (slope > 1e-12) & (step > low[rows]) & (step < high[rows])
        s[rows] = np.where(inside, step, (low[rows] + high[rows]) / 2)
    return s
