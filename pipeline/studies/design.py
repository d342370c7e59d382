"""What is asked of every face: action units by level, alone and combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER
from pipeline.studies.combinations import LEVELS, Levels, frozen

Mode = Literal["delta", "target"]
"""A level is added to what the face shows, or is what it shall show."""
MODES: tuple[Mode, ...] = ("delta", "target")
LETTERS = "ABCDE"
"""FACS A–E are levels 1–5."""
PAPER_IDENTITIES = 20


@dataclass(frozen=True)
class Cell:
    """One thing that is asked of every face.

    Attributes:
        name: `AU12=C`, `AU1=B+AU4=D`.
        aus, levels: which units, and 1…5 of each.
    """

    name: str
    aus: tuple[int, ...]
    levels: tuple[int, ...]

    @classmethod
    def of(cls, levels: Levels) -> Cell:
        name = "+".join(f"AU{au}={LETTERS[level - 1]}" for au, level in levels.items())
        return cls(name, tuple(levels), tuple(levels.values()))

    @property
    def kind(self) -> str:
        return "single" if len(self.aus) == 1 else "combination"

    def delta(self, mode: Mode, measured: NDArray[np.floating]) -> NDArray[np.float32]:
        """`(12,)` what the editor is asked for, in intensity units.

        Args:
            measured: `(12,)` of the face as it is; only `target` looks at it.
        """
        delta = np.zeros(len(AU_ORDER), np.float32)
        for au, level in zip(self.aus, self.levels, strict=True):
            column = AU_COLUMN[au]
            delta[column] = level - (measured[column] if mode == "target" else 0.0)
        return delta


NEUTRAL = Cell("neutral", (), ())
"""The face as it is."""


def cells(
    aus: Sequence[int] = AU_ORDER,
    levels: Sequence[int] = tuple(range(1, LEVELS + 1)),
    combinations: int | None = None,
) -> tuple[Cell, ...]:
    """The paper's 60 + 387, or a part of them.

    Args:
        aus, levels: of the single units.
        combinations: how many, spread evenly over the list; None = all.
    """
    singles = [Cell.of({au: level}) for au in aus for level in levels]
    listed = frozen()
    count = len(listed) if combinations is None else min(combinations, len(listed))
    picked = [listed[n * len(listed) // count] for n in range(count)]
    return (*singles, *map(Cell.of, picked))
