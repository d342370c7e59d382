"""Look-up tables (.cube) as views: code values in, a BT.709 display picture out.

Format: Adobe, Cube LUT Specification 1.0; red changes fastest in a table of three dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.views.view import View

SIZES = {"LUT_1D_SIZE": (2, 65536), "LUT_3D_SIZE": (2, 129)}
FALL = 0.004
"""By how much a table may fall along its own channel: a level of 8 bits, rounding."""
_STEPS, _DAMPING, _CLIMB = 6, 1e-3, 1e-4
_Floats = NDArray[Any]


@dataclass(frozen=True)
class Table:
    """A table as its file has it.

    Attributes:
        values: `(n, 3)` of one dimension, `(n, n, n, 3)` of three: [red, green, blue].
        low, high: `(3,)` the code values of its ends.
    """

    values: _Floats
    low: _Floats
    high: _Floats

    @property
    def is_solid(self) -> bool:
        return self.values.ndim == 4


def read_cube(path: Path) -> Table:
    """Reads and checks a table.

    Raises:
        MediaError: no table, or one that falls where code values rise: it has no way back.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"--view {path}: cannot be read as a .cube table: {error}") from None
    told: dict[str, list[str]] = {}
    rows: list[list[str]] = []
    for line in lines:
        words = line.split("#")[0].split() if not line.startswith("TITLE") else []
        if words and words[0][0].isalpha():
            told[words[0]] = words[1:]
        elif words:
            rows.append(words)
    table = _table(path, told, rows)
    _check_rising(path, table)
    return table


def _table(path: Path, told: dict[str, list[str]], rows: list[list[str]]) -> Table:
    try:
        (name,) = (name for name in SIZES if name in told)
        size = int(told[name][0])
        ends = [
            np.array(told.get(f"DOMAIN_{e}", [v] * 3), float) for e, v in (("MIN", 0), ("MAX", 1))
        ]
        values = np.array(rows, np.float64)
        shape = (size, 3) if name == "LUT_1D_SIZE" else (size, size, size, 3)
        low, high = SIZES[name]
        if not low <= size <= high or not np.isfinite(values).all() or (ends[1] <= ends[0]).any():
            raise ValueError
        values = values.reshape(shape)
    except (ValueError, IndexError):
        sizes = " or ".join(f"{name} {low}…{high}" for name, (low, high) in SIZES.items())
        raise MediaError(
            f"--view {path}: got no .cube table; expected {sizes} and as many rows of 3 numbers"
        ) from None
    return Table(values if name == "LUT_1D_SIZE" else values.transpose(2, 1, 0, 3), *ends)


def _check_rising(path: Path, table: Table) -> None:
    for channel, name in enumerate(("red", "green", "blue")):
        along = np.moveaxis(table.values[..., channel], channel if table.is_solid else 0, 0)
        falls = np.diff(along, axis=0).min()
        if falls < -FALL:
            raise MediaError(
                f"--view {path}: its {name} falls by {-falls:.3f} where the code value rises; "
                "expected a table that rises, so that edits find their way back (a technical "
                "transform to BT.709, no creative look)"
            )
        if along[-1].max() - along[0].min() < 0.1:
            raise MediaError(f"--view {path}: its {name} hardly changes; expected a picture of it")


def cube_view(path: Path) -> View:
    """The view that a table gives.

    Raises:
        MediaError: as `read_cube`.
    """
    table = read_cube(path)
    return SolidView(table) if table.is_solid else LineView(_climbing(table))


def _climbing(table: Table) -> Table:
    """The table with flat parts that rise a little: each value has one code then."""
    steps = np.linspace(0.0, _CLIMB, len(table.values))[:, None]
    return Table(np.maximum.accumulate(table.values, axis=0) + steps, table.low, table.high)


@dataclass(frozen=True)
class LineView(View):
    """A curve per channel."""

    table: Table

    def picture(self, code: NDArray[Any]) -> NDArray[np.uint8]:
        levels = self._levels if code.dtype == np.uint8 else self._deep_levels
        return np.stack([levels[code[..., c], c] for c in range(3)], axis=-1)

    @cached_property
    def _levels(self) -> NDArray[np.uint8]:
        return self.shown(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))

    @cached_property
    def _deep_levels(self) -> NDArray[np.uint8]:
        each = np.repeat(np.arange(65536, dtype=np.uint16)[:, None], 3, axis=1)
        return np.rint(self.shown(each) / 257).astype(np.uint8)

    def _view(self, code: _Floats) -> _Floats:
        return self._through(code, self._codes, self.table.values)

    def _change(self, code: _Floats, residual: _Floats) -> _Floats:
        seen = self._view(code)
        back = [self._through(v, self.table.values, self._codes) for v in (seen + residual, seen)]
        return back[0] - back[1]

    @property
    def _codes(self) -> _Floats:
        return np.linspace(self.table.low, self.table.high, len(self.table.values))

    @staticmethod
    def _through(values: _Floats, start: _Floats, end: _Floats) -> _Floats:
        parts = [np.interp(values[..., c], start[:, c], end[:, c]) for c in range(3)]
        return np.stack(parts, axis=-1)


@dataclass(frozen=True)
class SolidView(View):
    """A table of three dimensions, trilinear.

    Its way back is sought in damped steps (Levenberg, 1944), which stay small where the table is
    flat; a change of 0 takes none.
    """

    table: Table

    def picture(self, code: NDArray[Any]) -> NDArray[np.uint8]:
        halves = (code >> (1 if code.dtype == np.uint8 else 9)).astype(np.int32)
        return self._coarse[halves[..., 0] << 14 | halves[..., 1] << 7 | halves[..., 2]]

    @cached_property
    def _coarse(self) -> NDArray[np.uint8]:
        """`(128³, 3)` what is shown in the middle of each two levels."""
        levels = np.arange(128, dtype=np.uint16) * 514 + 257
        planes = np.stack(np.meshgrid(levels, levels, indexing="ij"), axis=-1).reshape(-1, 2)
        shown = [self.shown(np.insert(planes, 0, red, axis=1)) >> 8 for red in levels]
        return np.concatenate(shown).astype(np.uint8)

    def _view(self, code: _Floats) -> _Floats:
        return self._with_slopes(code)[0]

    def _change(self, code: _Floats, residual: _Floats) -> _Floats:
        target = self._view(code) + residual
        at = code.copy()
        for _ in range(_STEPS):
            seen, slopes = self._with_slopes(at)
            damped = slopes.mT @ slopes + _DAMPING * np.eye(3)
            step = np.linalg.solve(damped, slopes.mT @ (target - seen)[..., None])[..., 0]
            at = np.clip(at + step, self.table.low, self.table.high)
        return at - code

    def _with_slopes(self, code: _Floats) -> tuple[_Floats, _Floats]:
        """The view `(..., 3)` and its slopes `(..., 3, 3)` [seen, code]."""
        values, top = self.table.values, len(self.table.values) - 1
        scale = top / (self.table.high - self.table.low)
        place = np.clip((code - self.table.low) * scale, 0.0, top)
        cell = np.minimum(place.astype(np.int64), top - 1)
        share = place - cell
        seen = np.zeros(code.shape)
        slopes = np.zeros((*code.shape, 3))
        for corner in np.ndindex(2, 2, 2):
            far = np.array(corner)
            weights = np.where(far, share, 1.0 - share)
            index = cell + far
            value = values[index[..., 0], index[..., 1], index[..., 2]]
            seen += weights.prod(axis=-1, keepdims=True) * value
            for axis in range(3):
                others = np.delete(weights, axis, axis=-1).prod(axis=-1)
                signed = others * (2 * corner[axis] - 1) * scale[axis]
                slopes[..., axis] += signed[..., None] * value
        return seen, slopes
