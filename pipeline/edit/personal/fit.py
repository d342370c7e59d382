"""How a person differs from the rig, from a shot's moments: ridge regression of factors.

Per group of units and point two numbers are fitted, along the rig's displacement and outward. Each
point's are those that suit its neighbours too. The prior is the rig, times a gain per unit: what an
estimator reads of a unit, .4 to 1.2 of it, is its own scale and not the person's, so gains are
fitted and thrown away, and factors are such that a group moves as far as the rig's on the whole.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.person import outward, resting_places, sideways
from engines.editors.rig.points import LOWER_INNER, MIRROR, POINTS, UPPER_INNER
from engines.editors.rig.units import unit_field
from engines.lent import PERSONAL_GROUPS
from keyframes.au import AU_COLUMN
from keyframes.curves.easing import smoothstep
from pipeline.edit.personal.levelled import POINTS_SEEN, Seen
from pipeline.edit.personal.moments import UNITS, Moments, moments_of

LEAST, MOST = 0.6, 1.7
"""Of the rig's displacement."""
TURN = np.tan(np.radians(30.0))
ROWS_HELD = 250.0
"""Pictures at intensity 1 that hold a factor at the rig's."""
GAINS_HELD = 40.0
GAIN_LEAST, GAIN_MOST = 0.3, 3.0
NEAR = 0.14
"""Outer-eye distances (one standard deviation) over which points are fitted together."""
ASYMMETRY = 0.5
"""Of what the sides differ by, how much is kept: trackers differ between sides too."""
_PASSES = 3
_OUTLYING = 1.5
_FAR = 1e-3
_MOVED = 0.05, 0.25
_RIG = np.array([1.0, 0.0])
_UPPER_LIP = (49, 50, 51, 52, 53, *UPPER_INNER)
_LOWER_LIP = (55, 56, 57, 58, 59, *LOWER_INNER)


@functools.cache
def rig_moves() -> NDArray[np.float64]:
    """`(12, J, 2)` the rig's field where points are seen."""
    return unit_field()[:UNITS, POINTS_SEEN, :2]


@functools.cache
def rig_seen() -> NDArray[np.float64]:
    """`(12, J, 2)` the same against the outer eye corners, which units move a little too, and by
    which faces are levelled."""
    field, places = unit_field()[:UNITS, :, :2], resting_places()[:, :2]
    left, right = field[:, 36], field[:, 45]
    longer, turned = np.moveaxis((right - left)[:, None], 2, 0)
    x, y = places.T
    along = np.stack([longer * x - turned * y, turned * x + longer * y], axis=-1)
    return (field - (left + right)[:, None] / 2.0 - along)[:, POINTS_SEEN]


@functools.cache
def _near() -> NDArray[np.float64]:
    """`(P, J)` how much a point is fitted to what is seen of others; lips not to each other."""
    places = resting_places()
    apart = np.linalg.norm(places[:, None] - places[None, POINTS_SEEN], axis=2)
    near = np.exp(-0.5 * (apart / NEAR) ** 2)
    upper, lower = (np.isin(np.arange(POINTS), lip) for lip in (_UPPER_LIP, _LOWER_LIP))
    near[np.ix_(upper, lower[POINTS_SEEN])] = near[np.ix_(lower, upper[POINTS_SEEN])] = 0.0
    return near


@functools.cache
def _where_moved() -> NDArray[np.float64]:
    """`(G, P)` 0…1 where a group of units moves the face, of its most."""
    far = np.linalg.norm(unit_field()[:UNITS, :, :2], axis=2)
    moved = np.stack([far[_columns(group)].max(axis=0) for group in PERSONAL_GROUPS])
    return smoothstep(moved / moved.max(axis=1, keepdims=True), *_MOVED)


@functools.cache
def moved_by() -> NDArray[np.bool_]:
    """`(G, J)` where a group of units moves what is seen, by a fifth of its most and more."""
    far = np.linalg.norm(rig_moves(), axis=2)
    moved = np.stack([far[_columns(group)].max(axis=0) for group in PERSONAL_GROUPS])
    return moved > 0.2 * moved.max(axis=1, keepdims=True)


def _columns(group: tuple[int, ...]) -> list[int]:
    return [AU_COLUMN[unit] for unit in group]


def weights_of(seen: Seen) -> NDArray[np.float64]:
    """`(N,)` 0…1: less where the rig, at its own gains, is far off a picture: trackers slip."""
    weight = np.ones(len(seen.points))
    for _ in range(_PASSES):
        moments = moments_of(seen, weight, slice(None))
        field = rig_seen() * gains_of(moments)[:, None, None]
        made = np.tensordot(seen.intensity, field, axes=1)
        made += np.tensordot(seen.nuisances, moments.nuisances(field), axes=1)
        off = np.linalg.norm(seen.points - made, axis=2).mean(axis=1)
        weight = np.minimum(1.0, _OUTLYING * np.median(off) / np.maximum(off, 1e-9)) ** 2
    return weight


def gains_of(moments: Moments) -> NDArray[np.float64]:
    """`(12,)` how far units move what the rig moves, of what it does at what is read."""
    gram, cross = moments.of_units()
    rig = rig_seen().reshape(UNITS, -1)
    alike = rig @ rig.T
    system = gram * alike
    left = (cross.reshape(UNITS, -1) * rig).sum(axis=1) - system.sum(axis=1)
    held = np.diag(GAINS_HELD * np.diag(alike))
    return np.clip(1.0 + np.linalg.solve(system + held, left), GAIN_LEAST, GAIN_MOST)


def factors_of(moments: Moments, gains: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(G, P, 2)` as `personal_field` takes them, all groups of units fitted at once.

    Args:
        gains: `(12,)` of `gains_of`.
    """
    gram, cross = moments.of_units()
    rig = rig_seen() * gains[:, None, None]
    basis = _basis(rig_moves() * gains[:, None, None])
    seen = np.einsum("uv,bvjx->bujx", gram, basis)
    system = np.einsum("aujx,bujx->jab", basis, seen)
    left = np.einsum("aujx,ujx->ja", basis, cross - np.tensordot(gram, rig, axes=1))
    size = (basis[::2] ** 2).sum(axis=(1, 3))
    held = _near() @ size.T + _FAR * size.max(axis=1)
    system = np.einsum("pj,jab->pab", _near(), system)
    held = ROWS_HELD * np.repeat(held, 2, axis=1)
    system += held[:, None] * np.eye(len(basis))
    off = np.linalg.solve(system, (_near() @ left)[..., None])
    off = off.reshape(POINTS, -1, 2).swapaxes(0, 1)
    off = off + (1.0 - ASYMMETRY) / 2.0 * (off[:, MIRROR] - off)
    own = np.stack([_sized(*each) for each in zip(off + _RIG, size, strict=True)])
    return _RIG + _where_moved()[..., None] * (own - _RIG)


def _basis(rig: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(2 G, 12, J, 2)` what a factor of 1 adds: each group along, then outward."""
    basis: NDArray[Any] = np.zeros((2 * len(PERSONAL_GROUPS), *rig.shape))
    across = outward(rig, sideways()[POINTS_SEEN])
    for number, group in enumerate(PERSONAL_GROUPS):
        basis[2 * number, _columns(group)] = rig[_columns(group)]
        basis[2 * number + 1, _columns(group)] = across[_columns(group)]
    return basis


def _sized(factors: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(P, 2)` factors within bounds, such that the whole moves as far as the rig's."""
    for _ in range(2):
        squared = (factors[POINTS_SEEN] ** 2).sum(axis=1)
        factors = factors / np.sqrt(np.average(squared, weights=size))
        along = np.clip(factors[:, 0], LEAST, MOST)
        across = np.clip(factors[:, 1], -TURN * along, TURN * along)
        factors = np.stack([along, across], axis=1)
        factors *= np.minimum(1.0, MOST / np.hypot(along, across))[:, None]
    return factors
