"""Facial action units: their order, and the two quantities the project never confuses.

Source of the order: LibreFace and MagicFace (README and inference.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.errors import KeyframeError

AU_ORDER: tuple[int, ...] = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
"""Column order of every AU array and table in the project."""

AU_NAMES: tuple[str, ...] = tuple(f"AU{number}" for number in AU_ORDER)
AU_COLUMN: dict[int, int] = {number: column for column, number in enumerate(AU_ORDER)}

AUCode = int | str
"""An action unit as curves name it: its number, or `43R` and `43L` for one eye alone."""
LID_NAMES: tuple[str, ...] = ("AU43R", "AU43L")
"""Shut eyes, the person's own right (image left) and left, for editors that can."""
_FIRST_LID = len(AU_ORDER)
LID_COLUMNS: dict[AUCode, tuple[int, ...]] = {
    43: (_FIRST_LID, _FIRST_LID + 1),
    45: (_FIRST_LID, _FIRST_LID + 1),
    "43R": (_FIRST_LID,),
    "43L": (_FIRST_LID + 1,),
}
"""Columns of `(N, 14)`, AU_ORDER then LID_NAMES. A blink (45) is eyes shut (43), for a moment."""
CODE_COLUMNS: dict[AUCode, tuple[int, ...]] = {
    **{number: (column,) for number, column in AU_COLUMN.items()},
    **LID_COLUMNS,
}
CODE_NAMES: tuple[str, ...] = tuple(f"AU{code}" for code in CODE_COLUMNS)
"""All that a curve may name."""

AU_DESCRIPTIONS: dict[AUCode, str] = {
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

LID_DESCRIPTIONS: dict[AUCode, str] = {"43R": "right eye shut", "43L": "left eye shut"}

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


def _lids(lids: NDArray[np.float32], rows: int, what: str, low: float, high: float) -> None:
    if lids.dtype != np.float32 or lids.shape != (rows, len(LID_NAMES)):
        raise KeyframeError(
            f"{what}: got lids {lids.dtype} {lids.shape}; expected float32 ({rows}, 2)"
        )
    if np.isinf(lids).any() or (lids < low).any() or (lids > high).any():
        raise KeyframeError(f"{what}: lids outside {low:g}…{high:g}")


def _filled(owner: Any, value: float) -> None:
    if owner.lids is None:
        lids = np.full((len(owner.values), len(LID_NAMES)), value, np.float32)
        object.__setattr__(owner, "lids", lids)


@dataclass(frozen=True)
class AUIntensity:
    """Measured intensities.

    Attributes:
        values: `(N, 12)` float32 in AU_ORDER, 0…5; a NaN row is a frame without a face.
        lids: `(N, 2)` float32 in the order of LID_NAMES, how far the eyes are shut, 0…5; NaN where
            not known, which None means of all.
    """

    values: NDArray[np.float32]
    lids: NDArray[np.float32] = None  # pyright: ignore[reportAssignmentType] - filled at once

    def __post_init__(self) -> None:
        _checked(self.values, "AU intensity", 0.0, INTENSITY_MAX)
        _filled(self, np.nan)
        _lids(self.lids, len(self.values), "AU intensity", 0.0, INTENSITY_MAX)

    @classmethod
    def level(cls, frames: int, level: float = 0.0) -> AUIntensity:
        """One intensity of every unit on every frame, eyes open: 0 is a face at rest."""
        rows = np.full((frames, len(AU_ORDER)), level, np.float32)
        return cls(rows, np.zeros((frames, len(LID_NAMES)), np.float32))

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class AUDelta:
    """Asked-for change.

    Attributes:
        values: `(N, 12)` float32 in AU_ORDER, −10…10, finite; 0 leaves an AU alone.
        lids: `(N, 2)` float32 in the order of LID_NAMES, −10…10, finite; None = 0 for all.
    """

    values: NDArray[np.float32]
    lids: NDArray[np.float32] = None  # pyright: ignore[reportAssignmentType] - filled at once

    def __post_init__(self) -> None:
        _checked(self.values, "AU delta", -DELTA_LIMIT, DELTA_LIMIT)
        _filled(self, 0.0)
        _lids(self.lids, len(self.values), "AU delta", -DELTA_LIMIT, DELTA_LIMIT)
        if np.isnan(self.values).any() or np.isnan(self.lids).any():
            raise KeyframeError("AU delta: NaN is not a change; use 0 to leave an AU alone")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def active(self) -> NDArray[np.bool_]:
        """`(N,)`: frames in which anything at all is asked for."""
        return np.any(self.values != 0.0, axis=1) | np.any(self.lids != 0.0, axis=1)
