"""py-feat Fex CSV: `AU01` … 0–1 per frame number, one row per face and frame.

Source: py-feat documentation, "Fex" (columns `frame`, `FaceRectWidth`, `FaceScore`, `AU01` …).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, INTENSITY_MAX
from keyframes.errors import KeyframeError
from keyframes.formats.columns import (
    Columns,
    au_values,
    check_increasing,
    dropped_note,
    read_columns,
    read_header,
)
from keyframes.formats.options import Options
from keyframes.sources.performance import PerformanceTable, clipped

_AU = re.compile(r"au(\d\d)")


def recognises(header: tuple[str, ...]) -> bool:
    """Whether a header is py-feat's."""
    known = {"facescore", "facerectx", "facerectwidth", "approx_time"}
    return any(_AU.fullmatch(name) for name in header) and bool(known & set(header))


def read(path: Path, options: Options) -> PerformanceTable:
    """A py-feat table; of several faces in a frame the largest ones come first."""
    header = read_header(path)
    if options.fps is None:
        raise KeyframeError(
            f"{path}: py-feat counts frames and gives no exact times; say fps of its video"
        )
    found = {int(m[1]): name for name in header if (m := _AU.fullmatch(name))}
    names = {au: name for au, name in found.items() if au in AU_COLUMN}
    size = [name for name in ("facerectwidth",) if name in header]
    columns = read_columns(path, ["frame", *size, *names.values()])
    columns = columns.of_rows(_rows_of_track(columns, options.track), f"face {options.track}")
    times = columns.numbers["frame"] / options.fps
    check_increasing(columns, times, "frame")
    source = f"{path.name} (py-feat)"
    values, notes = clipped(au_values(columns, names, INTENSITY_MAX), source)
    others = [f"AU{au}" for au in sorted(set(found) - set(AU_COLUMN))]
    return PerformanceTable(
        times, values, source, (*notes, *dropped_note(source, "AUs the model lacks", others))
    )


def _rows_of_track(columns: Columns, track: int) -> NDArray[np.bool_]:
    """The rows of the face that is `track`-th in size in its frame."""
    frames = columns.numbers["frame"]
    width = columns.numbers.get("facerectwidth", np.zeros(len(frames)))
    order = np.lexsort((-np.nan_to_num(width), frames))
    starts = np.flatnonzero(np.diff(frames[order], prepend=np.nan) != 0)
    rank = np.empty(len(frames), np.int64)
    rank[order] = np.arange(len(frames)) - np.repeat(starts, np.diff(starts, append=len(frames)))
    return rank == track
