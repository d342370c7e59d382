"""Live Link Face CSV: timecode and 52 ARKit shapes per row, plus nine rotations.

Source: files of Epic's Live Link Face (header `Timecode,BlendShapeCount,EyeBlinkLeft,…`, timecode
`HH:MM:SS:FF.sub`, sub in thousandths of a frame); names are matched in any case.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER, INTENSITY_MAX
from keyframes.errors import KeyframeError
from keyframes.formats.arkit import SHAPES, ArkitTable, load_arkit
from keyframes.formats.columns import (
    Columns,
    check_increasing,
    dropped_note,
    read_columns,
    read_header,
)
from keyframes.formats.options import Options
from keyframes.sources.performance import PerformanceTable

Shapes = dict[str, NDArray[np.float64]]

_LABEL = re.compile(r"(\d{1,2})[:;](\d{2})[:;](\d{2})[:;.](\d{2,3})(?:\.(\d+))?")
RATES = (24, 25, 30, 48, 50, 60, 100, 120, 240)
_DAY_S = 24 * 60 * 60
_SEEN = 0.05
"""A shape that never goes beyond this is at rest, and dropping it loses nothing."""
_UNEVEN = 0.2
"""Sides further apart than this look different."""


def recognises(header: tuple[str, ...]) -> bool:
    """Whether a header is Live Link Face's."""
    return "timecode" in header and sum(s.lower() in header for s in SHAPES) >= 10


def read(path: Path, options: Options) -> PerformanceTable:
    """A Live Link Face take; its first row is second 0."""
    header = read_header(path)
    weights = load_arkit(options.arkit_table)
    present = [shape for shape in SHAPES if shape.lower() in header]
    columns = read_columns(path, [shape.lower() for shape in present], ["timecode"])
    shapes = {shape: columns.numbers[shape.lower()] for shape in present}
    times, rate = _times(columns, options.fps)
    check_increasing(columns, times, "timecode")
    source = f"{path.name} (Live Link Face)"
    notes = _losses(shapes, weights, source)
    if options.fps is None:
        notes.insert(0, f"{source}: {rate:g} fps by its largest frame number")
    values = _intensities(shapes, weights, len(times))
    return PerformanceTable(times, values, source, tuple(notes))


def _times(columns: Columns, fps: float | None) -> tuple[NDArray[np.float64], float]:
    """Seconds since the first row, past midnight too; and the rate they were counted at."""
    parts = np.empty((len(columns.lines), 2))
    labels = columns.texts["timecode"]
    for row, label in enumerate(labels):
        match = _LABEL.fullmatch(label)
        if match is None:
            raise KeyframeError(
                f"{columns.path}:{columns.lines[row]}: timecode: got {label!r}; "
                "expected HH:MM:SS:FF.sub"
            )
        hours, minutes, seconds, frames, sub = match.groups()
        parts[row, 0] = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
        parts[row, 1] = int(frames) + float(f"0.{sub or 0}")
    most = int(parts[:, 1].max())
    rate = fps or next((float(rate) for rate in RATES if rate > most), float(most + 1))
    clock = parts[:, 0] + parts[:, 1] / rate
    midnights = np.cumsum(np.diff(clock, prepend=clock[0]) < -_DAY_S / 2)
    clock += midnights * _DAY_S
    return clock - clock[0], rate


def _intensities(shapes: Shapes, weights: ArkitTable, rows: int) -> NDArray[np.float64]:
    values = np.full((rows, len(AU_ORDER)), np.nan)
    for au, row in weights.aus.items():
        there = {shape: weight for shape, weight in row.items() if shape in shapes}
        if there:
            total = sum(weight * shapes[shape] for shape, weight in there.items())
            values[:, AU_COLUMN[au]] = np.clip(INTENSITY_MAX * total, 0.0, INTENSITY_MAX)
    return values


def _losses(shapes: Shapes, weights: ArkitTable, source: str) -> list[str]:
    used = {shape for row in weights.aus.values() for shape in row}
    peaks = {shape: float(np.nan_to_num(values).max()) for shape, values in shapes.items()}
    moved = [
        f"{shape} (to {peak:.2f})"
        for shape, peak in peaks.items()
        if shape not in used and peak > _SEEN
    ]
    notes = dropped_note(source, "shapes without an AU that move", moved)
    pairs = [name.removesuffix("Left") for name in used if name.endswith("Left") and name in shapes]
    uneven = [name for name in sorted(pairs) if _unevenness(shapes, name) > _UNEVEN]
    if uneven:
        notes.append(f"{source}: left and right differ and were averaged: {', '.join(uneven)}")
    return notes


def _unevenness(shapes: Shapes, name: str) -> float:
    left, right = shapes[f"{name}Left"], shapes.get(f"{name}Right")
    return 0.0 if right is None else float(np.nan_to_num(np.abs(left - right)).max())
