"""Per-frame tables as CSV or Parquet, by the suffix of the file."""

# pyarrow ships no types: what goes into it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from keyframes.au import AU_NAMES, LID_NAMES, AUDelta, AUIntensity
from keyframes.errors import KeyframeError

TABLE_SUFFIXES = (".csv", ".parquet", ".pq")


def baked_columns(
    times_s: NDArray[np.float64], delta: AUDelta
) -> dict[str, NDArray[np.floating[Any]]]:
    """`time_s, AU1, AU2, AU4, …`: what is asked for at each frame; lids where they move."""
    columns: dict[str, NDArray[np.floating[Any]]] = {"time_s": times_s}
    columns |= {name: delta.values[:, i] for i, name in enumerate(AU_NAMES)}
    if delta.lids.any():
        columns |= {name: delta.lids[:, i] for i, name in enumerate(LID_NAMES)}
    return columns


def performance_columns(
    times_s: NDArray[np.float64],
    requested: AUDelta,
    measured: AUIntensity,
    achieved: AUIntensity | None = None,
) -> dict[str, NDArray[np.floating[Any]]]:
    """`time_s`, then `AU1_requested, AU1_measured, AU1_achieved, …`.

    Args:
        times_s: `(N,)`.
        requested: the change asked for.
        measured: before the edit.
        achieved: after it, where it was measured.
    """
    columns: dict[str, NDArray[np.floating[Any]]] = {"time_s": times_s}
    for i, name in enumerate(AU_NAMES):
        columns[f"{name}_requested"] = requested.values[:, i]
        columns[f"{name}_measured"] = measured.values[:, i]
        if achieved is not None:
            columns[f"{name}_achieved"] = achieved.values[:, i]
    return columns


def write_table(path: Path, columns: Mapping[str, NDArray[np.floating[Any]]]) -> None:
    """Write columns of equal length; NaN becomes an empty cell or a null.

    Raises:
        KeyframeError: a suffix that is not a table's, or a place that cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise KeyframeError(f"{path}: suffix {suffix!r}; known: {', '.join(TABLE_SUFFIXES)}")
    if suffix == ".csv":
        write_rows(path, list(columns), [cells(column, 6) for column in columns.values()])
        return
    try:
        arrays: Any = {k: pa.array(v, from_pandas=True) for k, v in columns.items()}
        pq.write_table(pa.table(arrays), path)
    except OSError as error:
        raise KeyframeError(f"{path}: cannot be written: {error.strerror or error}") from None


def write_rows(path: Path, header: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
    """Write columns of text as CSV.

    Raises:
        KeyframeError: a place that cannot be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(zip(*columns, strict=True))
    except OSError as error:
        raise KeyframeError(f"{path}: cannot be written: {error.strerror or error}") from None


def cells(values: NDArray[np.floating[Any]], decimals: int) -> list[str]:
    """Numbers as text with a fixed number of decimals; NaN is empty."""
    return ["" if math.isnan(value) else f"{value:.{decimals}f}" for value in values.tolist()]
