"""Is it still the same person: distances of embeddings, beside what the shot itself gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAREST_OTHER, MEDIAN_OTHER = 0.46, 0.84
"""Different people on 17 clips of 17 people: the closest pair, and the median."""
PAPER_MEAN = 0.473
"""MagicFace (2025), Table I: above the closest pair of different people, so lenient."""


@dataclass(frozen=True)
class IdentityFigures:
    """One shot's distances; the embeddings themselves are never kept.

    Attributes:
        mean, worst: edit against plate, the same frames.
        own_mean, own_worst: the plate against itself, pairs of different frames.
        nearest_other: the plate against the other faces of this shot, closest pair; NaN without.
    """

    mean: float
    worst: float
    own_mean: float
    own_worst: float
    nearest_other: float

    @property
    def kept(self) -> bool:
        """No further from the plate than the plate's own frames are from each other."""
        return not self.worst > self.limit

    @property
    def limit(self) -> float:
        """What the worst frame may be from the plate."""
        return max(self.own_worst, self.own_mean + 0.1)


def identity_figures(
    before: NDArray[np.floating], after: NDArray[np.floating], others: NDArray[np.floating]
) -> IdentityFigures:
    """The figures of one face.

    Args:
        before, after: `(K, 128)` embeddings of the same frames; rows with NaN are left out.
        others: `(M, 128)` of other faces in the plate.
    """
    known = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    plate, edit = before[known], after[known]
    apart = np.linalg.norm(edit - plate, axis=1)
    own = np.linalg.norm(plate[:, None] - plate[None], axis=2)[np.triu_indices(len(plate), 1)]
    other = np.linalg.norm(plate[:, None] - others[None], axis=2).ravel()
    return IdentityFigures(
        mean=_of(np.mean, apart),
        worst=_of(np.max, apart),
        own_mean=_of(np.mean, own),
        own_worst=_of(np.max, own),
        nearest_other=_of(np.min, other),
    )


def _of(what: Callable[[Any], Any], values: NDArray[np.floating]) -> float:
    return float(what(values)) if len(values) else float("nan")
