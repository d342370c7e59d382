"""py-feat Fex CSV: `AU01` … 0–1 per frame number, one row per face and frame.

Source: py-feat documentation, "Fex" (columns `frame`, `FaceRectX` …, `FaceScore`, `AU01` …,
`Identity`, `input`).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keyframes.au import AU_COLUMN, INTENSITY_MAX
from keyframes.errors import KeyframeError
from keyframes.formats.rows.columns import Columns, read_columns
from keyframes.formats.rows.finish import au_values, both_lids, dropped_note, increasing
from keyframes.formats.rows.layout import read_header
from keyframes.formats.rows.options import LEAST_CONFIDENCE, Options
from keyframes.formats.rows.people import follow_boxes, of_clip, of_person
from keyframes.formats.rows.preview import Preview
from keyframes.formats.rows.scales import as_intensities
from keyframes.sources.performance import PerformanceTable

_AU = re.compile(r"au(\d\d)")
_SHUT = 43
_BOX = ("facerectx", "facerecty", "facerectwidth", "facerectheight")


def recognises(preview: Preview) -> bool:
    """Whether a file is py-feat's."""
    known = {"facescore", "facerectx", "facerectwidth", "approx_time"}
    return any(_AU.fullmatch(name) for name in preview.header) and bool(known & set(preview.header))


def read(path: Path, options: Options) -> PerformanceTable:
    """A py-feat table of one face: by its identity, else followed by its box, largest first."""
    header = read_header(path)
    if options.rate is None:
        raise KeyframeError(
            f"{path}: py-feat counts frames and gives no exact times; say fps of its video"
        )
    found = {int(m[1]): name for name in header if (m := _AU.fullmatch(name))}
    names = {au: name for au, name in found.items() if au in AU_COLUMN}
    box = [name for name in _BOX if name in header]
    words = [name for name in ("input", "identity") if name in header]
    score = [name for name in ("facescore",) if name in header]
    source = f"{path.name} (py-feat)"
    shut = [found[_SHUT]] if _SHUT in found else []
    columns = read_columns(path, ["frame", *box, *score, *names.values(), *shut], words)
    columns, notes = _of_face(of_clip(columns, "input", options.clip), options, source)
    times = columns.numbers["frame"] * (options.rate.denominator / options.rate.numerator)
    columns, times = increasing(columns, times, "frame")
    measured = au_values(columns, names)
    doubtful = columns.numbers.get("facescore", np.ones(len(times))) < _least(options)
    if doubtful.any():
        measured[doubtful] = np.nan
        least = f"{source}: rows with a score below {options.confidence:g}"
        notes.append(f"{least}, taken for not measured: {int(doubtful.sum())} of {len(times)}")
    values, said = as_intensities(measured, 1.0, options.scale, source)
    others = [f"AU{au}" for au in sorted(set(found) - set(AU_COLUMN) - {_SHUT})]
    dropped = dropped_note(source, "AUs the model lacks", others)
    lids = None
    if shut:
        share = np.clip(columns.numbers[shut[0]] / (options.scale or 1.0), 0.0, 1.0)
        lids = both_lids(np.where(doubtful, np.nan, INTENSITY_MAX * share))
    told = (*columns.notes, *notes, *said, *dropped)
    return PerformanceTable(times, values, source, told, lids=lids)


def _least(options: Options) -> float:
    """py-feat leaves out what it doubts itself; a threshold counts where a person names one."""
    return 0.0 if options.confidence == LEAST_CONFIDENCE else options.confidence


def _of_face(columns: Columns, options: Options, source: str) -> tuple[Columns, list[str]]:
    frames = columns.numbers["frame"]
    crowded = len(np.unique(frames[np.isfinite(frames)])) < int(np.isfinite(frames).sum())
    people = list(dict.fromkeys(columns.texts.get("identity", [])))
    if options.person is not None or (len(people) > 1 and (not options.track or not crowded)):
        return of_person(columns, "identity", options.person), []
    order = np.argsort(frames, kind="stable")
    boxes = _boxes(columns)[order]
    assert options.rate is not None
    owner = np.empty(len(frames), np.int64)
    owner[order] = follow_boxes(frames[order] / float(options.rate), boxes)
    count = int(owner.max(initial=-1)) + 1
    if count <= 1 and not options.track:
        return columns, []
    if options.track >= count:
        known = ", ".join(map(str, range(count)))
        raise KeyframeError(f"{columns.path}: no face {options.track}; known: {known}")
    rows = owner == options.track
    note = (
        f"{source}: {count} faces by their boxes; track {options.track} "
        f"({'the largest' if not options.track else 'by size'}): {int(rows.sum())} of "
        f"{len(rows)} rows"
    )
    return columns.of_rows(rows, f"face {options.track}"), [note]


def _boxes(columns: Columns) -> np.ndarray:
    """`(M, 4)`; what is not there counts as one place and one size for all."""
    count = len(columns.lines)
    return np.stack([columns.numbers.get(name, np.ones(count)) for name in _BOX], axis=1)
