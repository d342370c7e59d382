"""Pairs as the UNets see them: what the VAE made of source, target and background, and the AUs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.errors import EngineError
from keyframes.au import AU_ORDER, DELTA_LIMIT


@dataclass(frozen=True)
class Batch:
    """`(k, 4, h, w)` float32 latents, none scaled, and `(k, 12)` AU deltas, on the device."""

    source: Tensor
    target: Tensor
    background: Tensor
    au: Tensor


@dataclass(frozen=True)
class Latents:
    """N pairs.

    Attributes:
        source, target, background: `(N, 4, h, w)` float32, as the VAE encodes them, not scaled;
            arrays or memory maps.
        au: `(N, 12)` float32 in AU_ORDER: the target's minus the source's.
        held_out: `(N,)` bool: pairs of people that training never sees.
        scaling_factor: of the VAE (0.18215 for SD 1.5).
        digest: names the pairs and the VAE.
        same_view: `(N,)` bool: pairs that differ by a known change of expression alone.
    Raises:
        EngineError: shapes that do not belong together, AUs that are no deltas, nothing to train.
    """

    source: NDArray[np.float32]
    target: NDArray[np.float32]
    background: NDArray[np.float32]
    au: NDArray[np.float32]
    held_out: NDArray[np.bool_]
    scaling_factor: float
    digest: str
    same_view: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        pairs = len(self.au)
        shape = self.source.shape
        for name in ("source", "target", "background"):
            found = getattr(self, name).shape
            if found != shape or len(found) != 4 or found[:2] != (pairs, 4):
                raise EngineError(
                    f"latents: {name} is {found}; expected ({pairs}, 4, h, w), all three alike"
                )
        if self.au.shape != (pairs, len(AU_ORDER)):
            raise EngineError(
                f"latents: AUs are {self.au.shape}; expected ({pairs}, {len(AU_ORDER)})"
            )
        if not (np.isfinite(self.au).all() and (np.abs(self.au) <= DELTA_LIMIT).all()):
            raise EngineError(f"latents: AU deltas outside ±{DELTA_LIMIT:g}, or not numbers")
        if self.held_out.all():
            raise EngineError(f"latents: all of {pairs} pairs are held out; nothing to train on")

    @property
    def shape(self) -> tuple[int, ...]:
        """`(4, h, w)`."""
        return self.source.shape[1:]

    def rows(self, *, held_out: bool) -> NDArray[np.int64]:
        """Numbers of the pairs that are trained on, or that are held out."""
        return np.flatnonzero(self.held_out == held_out)

    def known_rows(self) -> NDArray[np.int64]:
        """Numbers of the held-out pairs that differ by a known change alone."""
        if self.same_view is None:
            return np.zeros(0, np.int64)
        return np.flatnonzero(self.held_out & self.same_view & (self.au != 0).any(axis=1))

    def take(self, rows: NDArray[np.int64], device: torch.device | str) -> Batch:
        """Some pairs on the device."""

        def on_device(values: NDArray[np.float32]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values[rows], np.float32)).to(device)

        return Batch(*map(on_device, (self.source, self.target, self.background, self.au)))


def spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Up to so many of these, evenly over all: pairs of one person lie side by side."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
