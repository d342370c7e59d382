"""OpenFace 2 CSV: `timestamp`, `success`, `AU01_r` … 0–5; some versions put spaces after commas.

Source: OpenFace wiki, "Output Format".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_ORDER, INTENSITY_MAX, AUIntensity
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.formats.rows.columns import Columns, read_columns
from keyframes.formats.rows.finish import au_values, both_lids, dropped_note, increasing
from keyframes.formats.rows.layout import read_header
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.preview import Preview
from keyframes.formats.rows.scales import as_intensities
from keyframes.formats.rows.tables import cells, write_rows
from keyframes.sources.performance import PerformanceTable

_INTENSITY = re.compile(r"au(\d\d)_r")
_BLINK = 45


def recognises(preview: Preview) -> bool:
    """Whether a file is OpenFace's."""
    header = preview.header
    return "timestamp" in header and any(_INTENSITY.fullmatch(name) for name in header)


def read(path: Path, options: Options) -> PerformanceTable:
    """An OpenFace table; frames without success or confidence are not measured."""
    header = read_header(path)
    found = {int(m[1]): name for name in header if (m := _INTENSITY.fullmatch(name))}
    names = {au: name for au, name in found.items() if au in AU_COLUMN}
    source = f"{path.name} (OpenFace)"
    optional = [name for name in ("success", "confidence", "face_id") if name in header]
    optional += [found[_BLINK]] if _BLINK in found else []
    columns = of_face(read_columns(path, ["timestamp", *names.values(), *optional]), options)
    columns, times = increasing(columns, columns.numbers["timestamp"], "timestamp")
    measured = au_values(columns, names)
    notes = [*columns.notes, *leave_out_lost(measured, columns, options, source)]
    values, said = as_intensities(measured, INTENSITY_MAX, options.scale, source)
    others = [f"AU{au}" for au in sorted(set(found) - set(AU_COLUMN) - {_BLINK})]
    dropped = dropped_note(source, "AUs the model lacks", others)
    lids = _lids(columns, values, found.get(_BLINK), options)
    return PerformanceTable(times, values, source, (*notes, *said, *dropped), lids=lids)


def _lids(
    columns: Columns, values: NDArray[np.float64], name: str | None, options: Options
) -> NDArray[np.float64] | None:
    """AU45 of both eyes where a face was measured; nothing of a table without it."""
    if name is None:
        return None
    full = options.scale or INTENSITY_MAX
    shut = np.clip(columns.numbers[name] * (INTENSITY_MAX / full), 0.0, INTENSITY_MAX)
    return both_lids(np.where(np.isnan(values).all(axis=1), np.nan, shut))


def of_face(columns: Columns, options: Options) -> Columns:
    """The rows of one face.

    Raises:
        KeyframeError: no such face; those there are listed.
    """
    if "face_id" not in columns.numbers:
        return columns
    ids = columns.numbers["face_id"]
    known = sorted({int(face) for face in ids[np.isfinite(ids)]})
    if options.track not in known:
        shown = ", ".join(map(str, known[:12])) + (", …" if len(known) > 12 else "")
        raise KeyframeError(
            f"{columns.path}: no rows of face_id {options.track}; known: {shown}; say track"
        )
    return columns.of_rows(ids == options.track, f"face_id {options.track}")


def leave_out_lost(
    measured: NDArray[np.float64], columns: Columns, options: Options, source: str
) -> list[str]:
    """Blank the rows without a face, in place, and count them by why."""
    count = len(measured)
    known = columns.numbers.get("success", np.ones(count))
    lost = (known != 1) | np.isnan(measured).all(axis=1) | _broken(measured)
    sure = columns.numbers.get("confidence", np.ones(count))
    doubtful = ~lost & ~(sure >= options.confidence) & ~np.isnan(sure)
    measured[lost | doubtful] = np.nan
    notes: list[str] = []
    if lost.any():
        notes.append(f"{source}: rows without a face: {int(lost.sum())} of {count}")
    if doubtful.any():
        notes.append(
            f"{source}: rows with a confidence below {options.confidence:g}, taken for not "
            f"measured: {int(doubtful.sum())} of {count} (say confidence: 0 to keep them)"
        )
    return notes


def _broken(measured: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows in which an AU that others measure is missing."""
    there = np.isfinite(measured)
    return np.asarray((there.any(axis=0) & ~there).any(axis=1), bool)


def write(path: Path, timeline: Timeline, performance: AUIntensity) -> list[str]:
    """`frame, face_id, timestamp, confidence, success, AU01_r, …` with the AUs the model has.

    Raises:
        KeyframeError: a place that cannot be written.
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(performance.values).all(axis=1))
    success = known.astype(np.float64)
    columns = [
        [str(frame + 1) for frame in range(len(known))],
        ["0"] * len(known),
        cells(timeline.times_s, 6),
        cells(success, 2),
        cells(success, 0),
    ]
    header = ["frame", "face_id", "timestamp", "confidence", "success"]
    for au in AU_ORDER:
        header.append(f"AU{au:02}_r")
        columns.append(cells(np.where(known, performance.values[:, AU_COLUMN[au]], 0.0), 4))
    write_rows(path, header, columns)
    return []
