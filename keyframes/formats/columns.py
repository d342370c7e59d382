"""CSV files read column by column, with the line of every complaint."""

from __future__ import annotations

import csv
import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER
from keyframes.errors import KeyframeError

MAX_ROWS = 5_000_000
"""More than a day at 50 frames per second."""


@dataclass(frozen=True)
class Columns:
    """Some columns of a file.

    Attributes:
        path: the file.
        lines: `(M,)`, the line each row starts in, from 1.
        numbers: by lower-case name, `(M,)` float64; NaN for empty cells.
        texts: by lower-case name.
    """

    path: Path
    lines: NDArray[np.int64]
    numbers: dict[str, NDArray[np.float64]]
    texts: dict[str, list[str]]

    def of_rows(self, rows: NDArray[np.bool_], what: str) -> Columns:
        """The same of some rows only.

        Raises:
            KeyframeError: none of them is left.
        """
        if not rows.any():
            raise KeyframeError(f"{self.path}: no rows of {what}")
        kept = np.flatnonzero(rows).tolist()
        return Columns(
            self.path,
            self.lines[rows],
            {name: column[rows] for name, column in self.numbers.items()},
            {name: [column[row] for row in kept] for name, column in self.texts.items()},
        )


@contextmanager
def _rows(path: Path) -> Generator[Iterator[tuple[int, list[str]]]]:
    """Lines and cells of a file; anything unreadable becomes one line."""

    def numbered() -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(file, skipinitialspace=True, strict=True)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, [cell.strip() for cell in row]
        except (csv.Error, UnicodeDecodeError) as error:
            raise KeyframeError(f"{path}:{reader.line_num + 1}: not a CSV text: {error}") from None

    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise KeyframeError(f"{path}: cannot be read: {error.strerror}") from None
    with file:
        yield numbered()


def read_header(path: Path) -> tuple[str, ...]:
    """Column names, stripped and in lower case.

    Raises:
        KeyframeError: no header, or a name that stands twice.
    """
    with _rows(path) as rows:
        first = next(rows, None)
    if first is None:
        raise KeyframeError(f"{path}: empty; expected a header and rows")
    names = tuple(name.lower() for name in first[1])
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise KeyframeError(f"{path}:1: column {min(twice)!r} stands twice")
    return names


def read_columns(path: Path, numbers: Sequence[str], texts: Sequence[str] = ()) -> Columns:
    """The named columns of a file.

    Args:
        path: a CSV file with a header; spaces after commas do not matter.
        numbers: columns of numbers.
        texts: columns of anything else.

    Raises:
        KeyframeError: a column that is not there, a row of another length, a cell that is not a
            number, or no rows; with line and column.
    """
    header = read_header(path)
    for name in (*numbers, *texts):
        if name not in header:
            shown = ", ".join(header[:12]) + (", …" if len(header) > 12 else "")
            raise KeyframeError(f"{path}:1: no column {name!r}; found: {shown}")
    number_at = [(name, header.index(name)) for name in numbers]
    text_at = [(name, header.index(name)) for name in texts]
    lines: list[int] = []
    cells: dict[str, list[float]] = {name: [] for name in numbers}
    words: dict[str, list[str]] = {name: [] for name in texts}
    with _rows(path) as rows:
        next(rows)
        for line, row in rows:
            if len(row) != len(header) or len(lines) >= MAX_ROWS:
                raise KeyframeError(_bad_row(path, line, row, header))
            lines.append(line)
            for name, column in number_at:
                cells[name].append(_number(row[column], path, line, name))
            for name, column in text_at:
                words[name].append(row[column])
    if not lines:
        raise KeyframeError(f"{path}: a header without rows")
    arrays = {name: np.array(column, np.float64) for name, column in cells.items()}
    return Columns(path, np.array(lines, np.int64), arrays, words)


def _bad_row(path: Path, line: int, row: list[str], header: tuple[str, ...]) -> str:
    if len(row) != len(header):
        return f"{path}:{line}: {len(row)} cells; expected {len(header)} as in the header"
    return f"{path}:{line}: more than {MAX_ROWS} rows"


def _number(cell: str, path: Path, line: int, name: str) -> float:
    try:
        value = float(cell) if cell else math.nan
    except ValueError:
        raise KeyframeError(f"{path}:{line}: {name}: got {cell!r}; expected a number") from None
    if math.isinf(value):
        raise KeyframeError(f"{path}:{line}: {name}: got {cell!r}; expected a finite number")
    return value


def check_increasing(columns: Columns, times_s: NDArray[np.float64], what: str) -> None:
    """Refuse times that stand still, go back or are missing, with the line."""
    missing = np.flatnonzero(np.isnan(times_s)).tolist()
    if missing:
        raise KeyframeError(f"{columns.path}:{columns.lines[missing[0]]}: {what}: no time")
    late = np.flatnonzero(np.diff(times_s) <= 0).tolist()
    if late:
        row = late[0] + 1
        raise KeyframeError(
            f"{columns.path}:{columns.lines[row]}: {what}: {times_s[row]:g} s is not after "
            f"the row before it ({times_s[row - 1]:g} s)"
        )


def au_values(columns: Columns, names: dict[int, str], scale: float = 1.0) -> NDArray[np.float64]:
    """`(M, 12)` in AU_ORDER from columns by AU number; NaN for AUs without one."""
    values = np.full((len(columns.lines), len(AU_ORDER)), np.nan)
    for au, name in names.items():
        values[:, AU_COLUMN[au]] = columns.numbers[name] * scale
    return values


def dropped_note(source: str, what: str, dropped: Sequence[str]) -> list[str]:
    """One line of the loss report; none if nothing was lost."""
    return [f"{source}: dropped {what}: {', '.join(dropped)}"] if dropped else []
