"""This project's own tables: the analysis table (Parquet or CSV) and baked curves.

Columns: `time_s` and `AU1` … `AU26`; in analysis tables also `video` and `track`.
"""

# pyarrow ships no types: what comes out of it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keyframes.au import AU_COLUMN
from keyframes.errors import KeyframeError
from keyframes.formats.columns import (
    Columns,
    au_values,
    check_increasing,
    read_columns,
    read_header,
)
from keyframes.formats.options import Options
from keyframes.sources.performance import PerformanceTable, clipped

_NAMES = {au: f"au{au}" for au in AU_COLUMN}


def recognises(header: tuple[str, ...]) -> bool:
    """Whether a header is this project's."""
    return "time_s" in header and any(name in header for name in _NAMES.values())


def read(path: Path, options: Options) -> PerformanceTable:
    """An analysis table's rows of one track, or a baked curve."""
    parquet = path.suffix.lower() in (".parquet", ".pq")
    header = parquet_header(path) if parquet else read_header(path)
    names = {au: name for au, name in _NAMES.items() if name in header}
    if "time_s" not in header or not names:
        raise KeyframeError(f"{path}: no columns time_s and AU1 …; found: {', '.join(header[:12])}")
    track = [name for name in ("track",) if name in header]
    video = [name for name in ("video",) if name in header]
    wanted = ["time_s", *names.values(), *track]
    columns = _parquet(path, wanted, video) if parquet else read_columns(path, wanted, video)
    _check_one_video(columns)
    if track:
        rows = columns.numbers["track"] == options.track
        known = sorted({int(t) for t in columns.numbers["track"] if np.isfinite(t)})
        columns = columns.of_rows(rows, f"track {options.track}; known: {known}")
    check_increasing(columns, columns.numbers["time_s"], "time_s")
    source = f"{path.name} (analysis)"
    values, notes = clipped(au_values(columns, names), source)
    return PerformanceTable(columns.numbers["time_s"], values, source, tuple(notes))


def parquet_header(path: Path) -> tuple[str, ...]:
    """Column names of a Parquet file, in lower case.

    Raises:
        KeyframeError: not a Parquet file.
    """
    try:
        return tuple(name.lower() for name in pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise KeyframeError(f"{path}: not a Parquet file: {reason}") from None


def _parquet(path: Path, numbers: list[str], texts: list[str]) -> Columns:
    """The same as `read_columns`, from Parquet; rows count as lines."""
    spelled = {name.lower(): name for name in pq.read_schema(path).names}
    table = pq.read_table(path, columns=[spelled[name] for name in (*numbers, *texts)])
    arrays: dict[str, np.ndarray] = {}
    for name in numbers:
        try:
            column = table.column(spelled[name]).cast(pa.float64())
        except pa.ArrowException:
            kind = table.column(spelled[name]).type
            raise KeyframeError(f"{path}: {name}: got {kind}; expected numbers") from None
        arrays[name] = np.array(column.to_numpy(zero_copy_only=False), np.float64)
    words = {name: [str(v) for v in table.column(spelled[name]).to_pylist()] for name in texts}
    return Columns(path, np.arange(1, len(table) + 1), arrays, words)


def _check_one_video(columns: Columns) -> None:
    videos = sorted(set(columns.texts.get("video", [])))
    if len(videos) > 1:
        shown = ", ".join(videos[:4]) + (", …" if len(videos) > 4 else "")
        raise KeyframeError(f"{columns.path}: {len(videos)} videos ({shown}); expected one")
