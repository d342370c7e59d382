"""Tables as sets of arrays: one description of the columns makes, joins, writes and reads them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Column(NamedTuple):
    """What one column holds per row.

    Attributes:
        shape: of a row's value; `()` is a plain number.
        dtype: NumPy's.
        parts: names of its components as Parquet columns of their own; without any, a value that
            is no plain number is one fixed-size list.
    """

    shape: tuple[int, ...]
    dtype: type[Any]
    parts: tuple[str, ...] = ()


Columns = Mapping[str, Column]
Arrays = Mapping[str, NDArray[Any]]

BLOCK = 4096
"""Rows handled at once where a table is as long as a clip."""


def blocks(rows: int, size: int = BLOCK) -> Iterator[slice]:
    """The rows of a table, some at a time; of none, none."""
    return (slice(first, min(first + size, rows)) for first in range(0, rows, size))


class Spool:
    """A table that grows row by row in files without names, so that memory does not grow with it.

    Its columns are read through the system's page cache, which gives them up where memory is short.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._files: dict[str, IO[bytes]] = {}

    def add(self, values: Arrays) -> None:
        """Appends rows to the columns given; in the end all must have as many."""
        for name, value in values.items():
            column = self._columns[name]
            if name not in self._files:
                self._files[name] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as its map
            rows = np.ascontiguousarray(value, column.dtype).reshape(-1, *column.shape)
            self._files[name].write(rows.tobytes())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns, each `(rows, …)`, as they lie in the files."""
        return {name: self._mapped(name, column) for name, column in self._columns.items()}

    def _mapped(self, name: str, column: Column) -> NDArray[Any]:
        file = self._files.get(name)
        if file is None or file.tell() == 0:  # an empty file has no map
            return np.zeros((0, *column.shape), column.dtype)
        file.flush()
        width = int(np.prod(column.shape)) * np.dtype(column.dtype).itemsize
        shape = (file.tell() // width, *column.shape)
        return np.memmap(file, column.dtype, "r+", shape=shape).view(np.ndarray)


def blank(columns: Columns, rows: int = 0) -> dict[str, NDArray[Any]]:
    """`rows` rows of nothing: NaN, or 0 and False where there is no NaN."""
    return {
        name: np.full(
            (rows, *c.shape), np.nan if np.issubdtype(c.dtype, np.floating) else 0, c.dtype
        )
        for name, c in columns.items()
    }


def joined(columns: Columns, parts: Iterable[Arrays]) -> dict[str, NDArray[Any]]:
    """The rows of all parts in turn; of none, a table without rows."""
    tables = [blank(columns), *parts]
    return {
        name: np.concatenate([t[name] for t in tables]).astype(c.dtype, copy=False)
        for name, c in columns.items()
    }


def to_arrow(columns: Columns, values: Arrays) -> dict[str, Any]:
    """Parquet columns, in the order of the description."""
    made: dict[str, Any] = {}
    for name, column in columns.items():
        value = values[name]
        if column.parts:
            made |= dict(zip(column.parts, value.T, strict=True))
        elif column.shape:
            width = int(np.prod(column.shape))
            made[name] = pa.FixedSizeListArray.from_arrays(pa.array(value.reshape(-1)), width)
        else:
            made[name] = pa.array(value)
    return made


def from_arrow(columns: Columns, table: pa.Table) -> dict[str, NDArray[Any]]:
    """The arrays that `to_arrow` made columns of."""
    return {name: _read(name, column, table) for name, column in columns.items()}


def _read(name: str, column: Column, table: pa.Table) -> NDArray[Any]:
    if column.parts:
        return np.stack([table[part].to_numpy() for part in column.parts], axis=1)
    if column.shape:
        return table[name].combine_chunks().flatten().to_numpy().reshape(-1, *column.shape)
    return table[name].to_numpy()
