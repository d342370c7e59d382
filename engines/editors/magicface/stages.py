"""What a call of the editor is between its stages: ready, run, finish."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.interface import AlignedCrops


@dataclass(frozen=True)
class Frames:
    """Rows of a batch as they go to the device: `(F, S, S, 3)` full-range integers, and others."""

    images: NDArray[Any]
    backgrounds: NDArray[np.uint8]
    au: NDArray[np.float32]
    frame_index: NDArray[np.int64]

    def at(self, rows: NDArray[np.intp]) -> Frames:
        """Some rows; nothing is copied where they lie in order."""
        in_order = np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows)))
        taken = slice(int(rows[0]), int(rows[-1]) + 1) if in_order else rows
        return Frames(*(getattr(self, f.name)[taken] for f in fields(self)))


@dataclass(frozen=True)
class Readied:
    """A call with everything done that needs no network.

    Attributes:
        rows: those crops that are edited; `frames`, `notes` and `masks` are theirs.
        masks: where each is pasted, drawn meanwhile.
    """

    crops: AlignedCrops
    weights: NDArray[np.float32]
    rows: NDArray[np.intp]
    frames: Frames
    notes: tuple[str, ...]
    masks: tuple[Future[NDArray[np.float32]], ...]


@dataclass(frozen=True)
class Launched:
    """What the networks give, on its way from the device: each waits for `(F, S, S, 3)` 0…1."""

    edited: Callable[[], NDArray[np.float32]]
    reference: Callable[[], NDArray[np.float32]]


@dataclass(frozen=True)
class Run:
    """A call whose networks were run; per group its rows of `readied.rows`."""

    readied: Readied
    groups: list[tuple[NDArray[np.intp], Launched]]
