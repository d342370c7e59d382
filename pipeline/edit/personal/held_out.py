"""Whether a person's own units hold out: what is fitted to most of a shot, tried on the rest."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from operator import add

import numpy as np
from numpy.typing import NDArray

from engines.editors.rig.person import outward, sideways
from engines.lent import PERSONAL_GROUPS
from keyframes.au import AU_COLUMN
from pipeline.edit.personal.fit import (
    factors_of,
    gains_of,
    moved_by,
    rig_moves,
    rig_seen,
    weights_of,
)
from pipeline.edit.personal.levelled import POINTS_SEEN, Seen
from pipeline.edit.personal.moments import Moments, moments_of

BLOCKS = 12
"""Parts of a shot, one after the other, each of which is left out once."""
GAINED_LEAST = 0.02
"""Of the squared error; less is not worth being other than the rig."""
SURE = 2.7
"""Standard errors over blocks: Student's t with 11 degrees of freedom, 99 %."""


def blocks_of(seen: Seen) -> list[Moments]:
    """The sums of each block of time."""
    weight = weights_of(seen)
    edges = np.arange(BLOCKS + 1) * len(weight) // BLOCKS
    return [moments_of(seen, weight, slice(first, end)) for first, end in pairwise(edges.tolist())]


def gained(blocks: list[Moments]) -> NDArray[np.float64]:
    """`(G,)` 0…1 per group of PERSONAL_GROUPS: by how much of itself the error (root of the mean
    square) falls in what was held out, where the group moves the face; 0 where that is noise.

    Both fields, rig and person, have the gains that suit the rest of the shot.
    """
    whole = reduce(add, blocks)
    errors = np.array([_errors(whole - block, block) for block in blocks])
    rig, fallen = errors[..., 0], errors[..., 0] - errors[..., 1]
    mean, noise = fallen.mean(axis=0), fallen.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    holds = (mean > SURE * noise) & (mean >= GAINED_LEAST * rig.mean(axis=0))
    left = 1.0 - mean / np.maximum(rig.mean(axis=0), 1e-12)
    return np.where(holds, 1.0 - np.sqrt(left), 0.0)


def _errors(fitted: Moments, tried: Moments) -> NDArray[np.float64]:
    """`(G, 2)` squared errors of the rig and of each group's own, of what was not fitted."""
    gains = gains_of(fitted)
    rig = rig_seen() * gains[:, None, None]
    rig_errors = tried.errors(rig, fitted.nuisances(rig))
    factors = factors_of(fitted, gains)[:, POINTS_SEEN]
    found: list[tuple[float, float]] = []
    for group, own, moved in zip(PERSONAL_GROUPS, factors, moved_by(), strict=True):
        field = rig + bent(group, own) * gains[:, None, None]
        errors = tried.errors(field, fitted.nuisances(field))
        found.append((float(rig_errors[moved].sum()), float(errors[moved].sum())))
    return np.array(found)


def bent(group: tuple[int, ...], factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(12, J, 2)` what `(J, 2)` factors of one group of units add to the rig's field."""
    field, units = np.zeros_like(rig_moves()), [AU_COLUMN[unit] for unit in group]
    across = outward(rig_moves()[units], sideways()[POINTS_SEEN])
    field[units] = (factors[:, :1] - 1.0) * rig_moves()[units] + factors[:, 1:] * across
    return field
