"""OpenFace 2 CSV: `timestamp`, `success`, `AU01_r` … 0–5; some versions put spaces after commas.

Source: OpenFace wiki, "Output Format".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keyframes.au import AU_COLUMN
from keyframes.formats.columns import (
    au_values,
    check_increasing,
    dropped_note,
    read_columns,
    read_header,
)
from keyframes.formats.options import Options
from keyframes.sources.performance import PerformanceTable, clipped

_INTENSITY = re.compile(r"au(\d\d)_r")


def recognises(header: tuple[str, ...]) -> bool:
    """Whether a header is OpenFace's."""
    return "timestamp" in header and any(_INTENSITY.fullmatch(name) for name in header)


def read(path: Path, options: Options) -> PerformanceTable:
    """An OpenFace table; frames without success are not measured."""
    header = read_header(path)
    found = {int(m[1]): name for name in header if (m := _INTENSITY.fullmatch(name))}
    names = {au: name for au, name in found.items() if au in AU_COLUMN}
    optional = [name for name in ("success", "face_id") if name in header]
    columns = read_columns(path, ["timestamp", *names.values(), *optional])
    rows = np.ones(len(columns.lines), bool)
    source = f"{path.name} (OpenFace)"
    if "face_id" in header:
        rows = columns.numbers["face_id"] == options.track
    columns = columns.of_rows(rows, f"face_id {options.track}")
    times = columns.numbers["timestamp"]
    check_increasing(columns, times, "timestamp")
    measured = au_values(columns, names)
    lost = columns.numbers.get("success", np.ones(len(times))) != 1
    measured[lost] = np.nan
    values, notes = clipped(measured, source)
    if lost.any():
        notes.append(f"{source}: rows without a face: {int(lost.sum())} of {len(lost)}")
    others = [f"AU{au}" for au in sorted(set(found) - set(AU_COLUMN))]
    return PerformanceTable(
        times, values, source, (*notes, *dropped_note(source, "AUs the model lacks", others))
    )
