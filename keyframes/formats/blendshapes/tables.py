"""ARKit or MediaPipe blendshapes as CSV, one row per frame, beside a plain time or frame column.

Source: what scripts around MediaPipe's Face Landmarker, Audio2Face-3D and phone apps write.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keyframes.errors import KeyframeError
from keyframes.formats.blendshapes.arkit import (
    load_arkit,
    shape_intensities,
    shape_lids,
    shapes_named,
    used_shapes,
)
from keyframes.formats.rows.columns import read_columns
from keyframes.formats.rows.finish import increasing
from keyframes.formats.rows.layout import read_header
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.preview import Preview
from keyframes.formats.rows.row_times import row_times, time_column
from keyframes.sources.performance import PerformanceTable


def recognises(preview: Preview) -> bool:
    """Whether a file is a table of blendshapes."""
    return bool(shapes_named(preview.header))


def read(path: Path, options: Options) -> PerformanceTable:
    """A table of blendshapes by its time column, else by frames and a given rate."""
    header = read_header(path)
    present = shapes_named(header)
    if not present:
        raise KeyframeError(f"{path}:1: no ten ARKit blendshapes among its columns")
    weights = load_arkit(options.arkit_table)
    used = used_shapes(weights) & present.keys()
    others = [shape for shape in present if shape not in used]
    source = f"{path.name} (blendshapes)"
    clock = time_column(name for name in header if name not in present.values())
    columns = read_columns(
        path,
        [*([clock.name] if clock else []), *(present[shape] for shape in used)],
        peaks_of=[present[shape] for shape in others],
    )
    if clock is not None:
        times, notes = row_times(columns.numbers[clock.name], clock, options.rate, source)
    elif options.rate is not None:
        step = options.rate.denominator / options.rate.numerator
        times = np.arange(len(columns.lines), dtype=np.float64) * step
        notes = [f"{source}: no time column; its rows are taken for frames"]
    else:
        raise KeyframeError(f"{path}:1: no column of times or frames; say fps if rows are frames")
    columns, times = increasing(columns, times, "time")
    shapes = {shape: columns.numbers[present[shape]] for shape in used}
    peaks = {shape: columns.peaks[present[shape]] for shape in others}
    values, lost = shape_intensities(shapes, peaks, weights, options.scale, source)
    told, lids = (*columns.notes, *notes, *lost), shape_lids(shapes, peaks, options.scale)
    return PerformanceTable(times, values, source, told, lids=lids)
