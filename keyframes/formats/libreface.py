"""LibreFace CSV: `au_1_intensity` … 0–5; rows of frames without a face are missing.

Source: LibreFace, README and package (`frame_idx`, `frame_time_in_ms`); version 2 writes the same
columns behind an unnamed row number, with detected AUs as `au_1` … beside them.
"""

from __future__ import annotations

import re
from pathlib import Path

from keyframes.au import AU_COLUMN, INTENSITY_MAX
from keyframes.errors import KeyframeError
from keyframes.formats.rows.columns import read_columns
from keyframes.formats.rows.finish import au_values, dropped_note, increasing
from keyframes.formats.rows.layout import read_header
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.preview import Preview
from keyframes.formats.rows.scales import as_intensities
from keyframes.sources.performance import PerformanceTable

_INTENSITY = re.compile(r"au_?0*(\d+)_intensity")
_SECONDS = {"frame_time_in_ms": 1e-3, "time_in_ms": 1e-3, "timestamp_ms": 1e-3}
_FRAMES = ("frame_idx", "frame_index", "frame")


def recognises(preview: Preview) -> bool:
    """Whether a file is LibreFace's."""
    return any(_INTENSITY.fullmatch(name) for name in preview.header)


def read(path: Path, options: Options) -> PerformanceTable:
    """A LibreFace table, by its time column, or by frame numbers and a given rate."""
    header = read_header(path)
    found = {int(m[1]): name for name in header if (m := _INTENSITY.fullmatch(name))}
    names = {au: name for au, name in found.items() if au in AU_COLUMN}
    source = f"{path.name} (LibreFace)"
    clock = next((name for name in _SECONDS if name in header), None)
    count = next((name for name in _FRAMES if name in header), None)
    if clock is not None:
        unit = _SECONDS[clock]
    elif count is not None and options.rate is not None:
        clock, unit = count, options.rate.denominator / options.rate.numerator
    else:
        raise KeyframeError(
            f"{path}:1: no column 'frame_time_in_ms'; give fps to count by 'frame_idx'"
        )
    columns = read_columns(path, [clock, *names.values()])
    columns, times = increasing(columns, columns.numbers[clock] * unit, "time")
    values, notes = as_intensities(au_values(columns, names), INTENSITY_MAX, options.scale, source)
    others = [f"AU{au}" for au in sorted(set(found) - set(AU_COLUMN))]
    dropped = dropped_note(source, "AUs the model lacks", others)
    return PerformanceTable(times, values, source, (*columns.notes, *notes, *dropped))
