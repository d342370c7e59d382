"""Facial action units: their order, and the two quantities the project never confuses.

Source of the order: LibreFace and MagicFace (README and inference.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keyframes.errors import KeyframeError

AU_ORDER: tuple[int, ...] = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
"""Column order of every AU array and table in the project."""

AU_NAMES: tuple[str, ...] = tuple(f"AU{number}" for number in AU_ORDER)
AU_COLUMN: dict[int, int] = {number: column for column, number in enumerate(AU_ORDER)}

AU_DESCRIPTIONS: dict[int, str] = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    9: "nose wrinkler",
    12: "lip corner puller",
    15: "lip corner depressor",
    17: "chin raiser",
    20: "lip stretcher",
    25: "lips part",
    26: "jaw drop",
}

INTENSITY_MAX = 5.0
"""Top of the measured scale (FACS E); the bottom is 0."""
DELTA_LIMIT = 10.0
"""Deltas are useful within ±10 (MagicFace, README); curves are clamped there."""


def _checked(values: NDArray[np.float32], what: str, low: float, high: float) -> None:
    if values.dtype != np.float32 or values.ndim != 2 or values.shape[1] != len(AU_ORDER):
        raise KeyframeError(
            f"{what}: got {values.dtype} {values.shape}; expected float32 (N, {len(AU_ORDER)})"
        )
    if np.isinf(values).any() or (values < low).any() or (values > high).any():
        raise KeyframeError(f"{what}: values outside {low:g}…{high:g}")


@dataclass(frozen=True)
class AUIntensity:
    """Measured: `(N, 12)` float32 in AU_ORDER, 0…5; a NaN row is a frame without a face."""

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        _checked(self.values, "AU intensity", 0.0, INTENSITY_MAX)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class AUDelta:
    """Asked-for change: `(N, 12)` float32 in AU_ORDER, −10…10, finite; 0 leaves an AU alone."""

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        _checked(self.values, "AU delta", -DELTA_LIMIT, DELTA_LIMIT)
        if np.isnan(self.values).any():
            raise KeyframeError("AU delta: NaN is not a change; use 0 to leave an AU alone")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def active(self) -> NDArray[np.bool_]:
        """`(N,)`: frames in which anything at all is asked for."""
        return np.any(self.values != 0.0, axis=1)
