"""What a second network, which knows no action units, makes of the edit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.judges.expression import EXPRESSIONS
from keyframes.au import AU_COLUMN, AUDelta

READ_AS = 0.5
EXPECTED: dict[str, tuple[tuple[int, float], ...]] = {
    "happy": ((12, 2.0), (6, 1.0)),
    "sad": ((15, 2.0), (1, 1.0), (4, 0.5)),
    "surprise": ((1, 1.0), (2, 1.5), (5, 1.0), (26, 1.0)),
    "angry": ((4, 2.0), (9, 0.5)),
    "disgust": ((9, 2.0),),
}
"""What a curve means, if it means one of the seven at all: weights of its units (EMFACS's core
units of each)."""
_LEAST = 4.0


@dataclass(frozen=True)
class ExpressionReading:
    """Medians over the frames that ask for most.

    Attributes:
        expected: the class the curve means; "" where it means none of them.
        before, after: `(7,)` probabilities in the order of EXPRESSIONS.
    """

    expected: str
    before: NDArray[np.float64]
    after: NDArray[np.float64]

    @property
    def reads(self) -> str:
        """The likeliest class of the edit."""
        return EXPRESSIONS[int(np.argmax(self.after))]

    @property
    def as_expected(self) -> bool | None:
        """Whether the edit reads as what the curve means; None where it means none of them."""
        if not self.expected:
            return None
        return bool(self.after[EXPRESSIONS.index(self.expected)] >= READ_AS)


def expected_expression(requested: AUDelta) -> str:
    """The class whose units a curve raises most at its strongest frame; "" below a clear amount."""
    strongest = requested.values[int(np.argmax(np.abs(requested.values).sum(axis=1)))]
    amounts = {
        name: sum(weight * max(float(strongest[AU_COLUMN[au]]), 0.0) for au, weight in units)
        for name, units in EXPECTED.items()
    }
    best = max(amounts, key=lambda name: amounts[name])
    return best if amounts[best] >= _LEAST else ""


def expression_reading(
    requested: AUDelta, before: NDArray[np.floating], after: NDArray[np.floating]
) -> ExpressionReading | None:
    """The reading of a shot; None where no sampled frame asks for anything.

    Args:
        before, after: `(N, 7)` probabilities, NaN on frames that were not sampled.
    """
    strength = np.abs(requested.values).sum(axis=1)
    known = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1) & (strength > 0)
    if not known.any():
        return None
    strong = known & (strength >= 0.75 * strength[known].max())
    return ExpressionReading(
        expected_expression(requested),
        np.median(before[strong], axis=0).astype(np.float64),
        np.median(after[strong], axis=0).astype(np.float64),
    )
