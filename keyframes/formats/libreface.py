"""LibreFace CSV: `au_1_intensity` … 0–5; rows of frames without a face are missing.

Source: LibreFace 0.2, README and inference.py (`frame_idx`, `frame_time_in_ms`).
"""

from __future__ import annotations

import re
from pathlib import Path

from keyframes.au import AU_COLUMN
from keyframes.errors import KeyframeError
from keyframes.formats.columns import (
    au_values,
    check_increasing,
    dropped_note,
    read_columns,
    read_header,
)
from keyframes.formats.options import Options
from keyframes.sources.performance import PerformanceTable, clipped

_INTENSITY = re.compile(r"au_(\d+)_intensity")


def recognises(header: tuple[str, ...]) -> bool:
    """Whether a header is LibreFace's."""
    return any(_INTENSITY.fullmatch(name) for name in header)


def read(path: Path, options: Options) -> PerformanceTable:
    """A LibreFace table, by its time column, or by frame numbers and a given rate."""
    header = read_header(path)
    found = {int(m[1]): name for name in header if (m := _INTENSITY.fullmatch(name))}
    names = {au: name for au, name in found.items() if au in AU_COLUMN}
    source = f"{path.name} (LibreFace)"
    if "frame_time_in_ms" in header:
        columns = read_columns(path, ["frame_time_in_ms", *names.values()])
        times = columns.numbers["frame_time_in_ms"] / 1000
    elif "frame_idx" in header and options.fps is not None:
        columns = read_columns(path, ["frame_idx", *names.values()])
        times = columns.numbers["frame_idx"] / options.fps
    else:
        raise KeyframeError(
            f"{path}:1: no column 'frame_time_in_ms'; give fps to count by 'frame_idx'"
        )
    check_increasing(columns, times, "time")
    values, notes = clipped(au_values(columns, names), source)
    others = [f"AU{au}" for au in sorted(set(found) - set(AU_COLUMN))]
    return PerformanceTable(
        times, values, source, (*notes, *dropped_note(source, "AUs the model lacks", others))
    )
