"""Sums over pictures that a linear fit needs; parts of a shot are left out by subtraction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_ORDER
from pipeline.edit.personal.levelled import Seen

UNITS = len(AU_ORDER)
_GIVE = 1.0
"""Rows that hold a nuisance other than the constant at 0."""


@dataclass(frozen=True)
class Moments:
    """Weighted sums over pictures of units and nuisances (K of them together) and of J points.

    Attributes:
        gram: `(K, K)` of each with each.
        cross: `(K, J, 2)` with the points.
        energy: `(J, 2)` of the points' squares.
    """

    gram: NDArray[np.float64]
    cross: NDArray[np.float64]
    energy: NDArray[np.float64]

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.gram + other.gram, self.cross + other.cross, self.energy + other.energy)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.gram - other.gram, self.cross - other.cross, self.energy - other.energy)

    def nuisances(self, field: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(K − 12, J, 2)`: how they move the points where units move them by a field."""
        left = self.cross[UNITS:] - np.tensordot(self.gram[UNITS:, :UNITS], field, axes=1)
        solved: NDArray[Any] = np.linalg.solve(self._held(), left.reshape(len(left), -1))
        return solved.reshape(left.shape)

    def of_units(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`(12, 12)` and `(12, J, 2)`: gram and cross of what of units no nuisance explains."""
        explained = np.linalg.solve(self._held(), self.gram[UNITS:, :UNITS])
        gram = self.gram[:UNITS, :UNITS] - self.gram[:UNITS, UNITS:] @ explained
        return gram, self.cross[:UNITS] - np.tensordot(explained.T, self.cross[UNITS:], axes=1)

    def errors(self, field: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(J,)` squared errors of a `(12, J, 2)` field and a rest as of `nuisances`."""
        made = np.concatenate([field, rest])
        fitted = np.einsum("ajx,ajx->jx", made, np.tensordot(self.gram, made, axes=1))
        return (self.energy - 2.0 * (made * self.cross).sum(axis=0) + fitted).sum(axis=1)

    def _held(self) -> NDArray[np.float64]:
        give = np.full(len(self.gram) - UNITS, _GIVE)
        give[0] = 1e-6
        return self.gram[UNITS:, UNITS:] + np.diag(give)


def moments_of(seen: Seen, weight: NDArray[np.float64], rows: slice) -> Moments:
    """The sums over some pictures.

    Args:
        weight: `(N,)` of each picture.
    """
    known = np.column_stack([seen.intensity[rows], seen.nuisances[rows]])
    weighted, points = (known * weight[rows, None]).T, seen.points[rows]
    energy = np.tensordot(weight[rows], points**2, axes=1)
    return Moments(weighted @ known, np.tensordot(weighted, points, axes=1), energy)
