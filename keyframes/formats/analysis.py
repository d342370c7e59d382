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

from keyframes.au import AU_COLUMN, DELTA_LIMIT, INTENSITY_MAX, LID_NAMES
from keyframes.errors import KeyframeError
from keyframes.formats.rows.columns import Columns, read_columns
from keyframes.formats.rows.finish import au_values, increasing
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.people import of_clip
from keyframes.formats.rows.preview import Preview
from keyframes.formats.rows.scales import as_intensities
from keyframes.sources.performance import PerformanceTable

_NAMES = {au: f"au{au}" for au in AU_COLUMN}


def recognises(preview: Preview) -> bool:
    """Whether a file is this project's."""
    header = preview.header
    return "time_s" in header and any(name in header for name in _NAMES.values())


def read(path: Path, options: Options) -> PerformanceTable:
    """An analysis table's rows of one track, or a baked curve.

    Both are intensities 0 to 5, or changes, which are held to that range.
    """
    preview = Preview(path)
    header = preview.header
    names = {au: name for au, name in _NAMES.items() if name in header}
    if "time_s" not in header or not names:
        raise KeyframeError(f"{path}: no columns time_s and AU1 …; found: {', '.join(header[:12])}")
    track = [name for name in ("track",) if name in header]
    video = [name for name in ("video",) if name in header]
    eyes = [name.lower() for name in LID_NAMES if name.lower() in header]
    wanted = ["time_s", *names.values(), *eyes, *track]
    read_rows = _parquet if preview.is_parquet else read_columns
    columns = of_clip(read_rows(path, wanted, video), "video", options.clip)
    if track:
        rows = columns.numbers["track"] == options.track
        known = sorted({int(t) for t in columns.numbers["track"] if np.isfinite(t)})
        columns = columns.of_rows(rows, f"track {options.track}; known: {known}")
    columns, times = increasing(columns, columns.numbers["time_s"], "time_s")
    source = f"{path.name} (analysis)"
    measured = au_values(columns, names)
    scale = options.scale
    if scale is None and not (measured > DELTA_LIMIT).any():
        scale = INTENSITY_MAX  # ours: intensities, or changes within their limit
    values, notes = as_intensities(measured, INTENSITY_MAX, scale, source)
    lids = None
    if len(eyes) == len(LID_NAMES):
        held = [np.clip(columns.numbers[name], -DELTA_LIMIT, DELTA_LIMIT) for name in eyes]
        lids = np.stack(held, axis=1)
    return PerformanceTable(times, values, source, (*columns.notes, *notes), lids=lids)


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
