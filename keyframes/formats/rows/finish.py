"""From columns to a performance: rows in order, AUs in order, what was dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER
from keyframes.errors import KeyframeError
from keyframes.formats.rows.columns import Columns

MOST_LEFT_OUT = 0.1
"""Of the rows; where more are out of order, the file is not what it seems."""

Array = NDArray[np.float64]


def increasing(columns: Columns, times_s: Array, what: str) -> tuple[Columns, Array]:
    """Rows whose times go on; the few that stand still, go back or have none are left out.

    Raises:
        KeyframeError: more than a tenth of them do, with the line.
    """
    missing = np.isnan(times_s)
    latest = np.fmax.accumulate(np.where(missing, -np.inf, times_s))
    before = np.concatenate([[-np.inf], latest[:-1]])
    wrong = missing | (times_s <= before)
    if not wrong.any():
        return columns, times_s
    row = int(np.flatnonzero(wrong)[0])
    said = f"{columns.lines[row]}: {what}: "
    if missing[row]:
        said += "no time"
    else:
        said += f"{times_s[row]:g} s is not after the row before it ({before[row]:g} s)"
    if wrong.sum() > MOST_LEFT_OUT * len(wrong):
        raise KeyframeError(f"{columns.path}:{said}")
    note = f"{columns.path.name}: rows out of order, left out: {wrong.sum()}, first in line {said}"
    kept = replace(columns.of_rows(~wrong, "time"), notes=(*columns.notes, note))
    return kept, times_s[~wrong]


def au_values(columns: Columns, names: Mapping[int, str]) -> Array:
    """`(M, 12)` in AU_ORDER from columns by AU number; NaN for AUs without one.

    Raises:
        KeyframeError: no column at all.
    """
    if not names:
        raise KeyframeError(f"{columns.path}:1: no column of an AU that the model has")
    values = np.full((len(columns.lines), len(AU_ORDER)), np.nan)
    for au, name in names.items():
        values[:, AU_COLUMN[au]] = columns.numbers[name]
    return values


def both_lids(column: Array) -> Array:
    """`(M, 2)` in the order of LID_NAMES from one column for both eyes."""
    return np.stack([column, column], axis=1)


def dropped_note(source: str, what: str, dropped: Sequence[str]) -> list[str]:
    """One line of the loss report; none if nothing was lost."""
    return [f"{source}: dropped {what}: {', '.join(dropped)}"] if dropped else []
