"""Groups of one fixed size, halved for good when the GPU's memory does not hold one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from engines.errors import EngineUnavailableError

Made = TypeVar("Made")


class ShrinkingBatch:
    """Runs rows in groups of `size`; out of memory halves it on the same rows (8 → 4 → 2 → 1).

    The last group is filled up with repeats of its last row: a row's bits depend on the size of its
    group, not on what else is in it.

    Args:
        size: a power of two.
        forget: lets go of memory held for the old size.
    """

    def __init__(self, size: int, forget: Callable[[], None] = lambda: None) -> None:
        self.size = size
        self.asked = size
        self._forget = forget

    def run(
        self, rows: NDArray[np.intp], work: Callable[[NDArray[np.intp]], Made]
    ) -> list[tuple[NDArray[np.intp], Made]]:
        """Do the work on all rows.

        Args:
            rows: `(N,)` row numbers.
            work: takes `(size,)` row numbers and gives something whose first `len(group)` entries
                count.
        Returns:
            Per group its rows (without the repeats) and what the work gave.
        Raises:
            EngineUnavailableError: one row alone does not fit.
        """
        made: list[tuple[NDArray[np.intp], Made]] = []
        start = 0
        while start < len(rows):
            group = rows[start : start + self.size]
            filled = np.append(group, np.repeat(group[-1:], self.size - len(group)))
            try:
                answer = work(filled)
            except torch.OutOfMemoryError as error:
                reason = str(error)
            else:
                made.append((group, answer))
                start += len(group)
                continue
            self._halve(reason)  # out here nothing holds the error, and it no failed tensors
        return made

    def _halve(self, reason: str) -> None:
        if self.size == 1:
            told = reason.split(". ")[:2]
            raise EngineUnavailableError(
                f"out of GPU memory with one frame at a time ({'. '.join(told).strip()}); use "
                "dtype fp16 or bf16, or a GPU with more memory"
            ) from None
        self.size //= 2
        self._forget()

    @property
    def note(self) -> str | None:
        """For the report, once the size had to shrink."""
        if self.size == self.asked:
            return None
        return f"batch {self.asked} did not fit the GPU's memory, continued with {self.size}"
