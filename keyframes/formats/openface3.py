"""OpenFace 3 tables: eight action units, 0–1, numbered by their place and not by FACS.

The model's eight outputs are written as `AU01_r` … `AU08_r` by scripts around it, or as `AU_0` …
`AU_7`. What each stands for has no official list; taken is the selection of its training code:
AU1, 6, 12, 15, 17, 2, 9 and 10 (the last is not in our model).

Source: OpenFace-3.0, train_mix_au_dev.py (`eval_au`) over the twelve AUs of DISFA.
"""

from __future__ import annotations

import re
from pathlib import Path

from keyframes.au import AU_COLUMN
from keyframes.errors import KeyframeError
from keyframes.formats.openface import leave_out_lost, of_face
from keyframes.formats.rows.columns import read_columns
from keyframes.formats.rows.finish import au_values, increasing
from keyframes.formats.rows.layout import read_header
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.preview import Preview
from keyframes.formats.rows.row_times import row_times, time_column
from keyframes.formats.rows.scales import as_intensities
from keyframes.sources.performance import PerformanceTable

OUTPUTS = (1, 6, 12, 15, 17, 2, 9, 10)
"""FACS numbers in the order of the network's outputs."""
_PLACE = re.compile(r"au_?0?(\d)(?:_r|_intensity)?")


def _places(header: tuple[str, ...]) -> dict[int, str]:
    """Columns by the number they carry, if they are the eight outputs; else nothing."""
    found = {int(match[1]): name for name in header if (match := _PLACE.fullmatch(name))}
    numbered = sorted(found) in (list(range(8)), list(range(1, 9)))
    others = any(re.fullmatch(r"au_?\d\d(?:_r)?", n) and n not in found.values() for n in header)
    return found if numbered and not others else {}


def recognises(preview: Preview) -> bool:
    """Whether a file holds the eight outputs by their place."""
    return bool(_places(preview.header))


def read(path: Path, options: Options) -> PerformanceTable:
    """An OpenFace 3 table by its time column, or by frames and a given rate."""
    header = read_header(path)
    places = _places(header)
    clock = time_column(header)
    if not places or clock is None:
        raise KeyframeError(f"{path}:1: no columns AU01_r to AU08_r with a time or frame column")
    first = min(places)
    names = {
        OUTPUTS[place - first]: name
        for place, name in places.items()
        if OUTPUTS[place - first] in AU_COLUMN
    }
    source = f"{path.name} (OpenFace 3)"
    optional = [name for name in ("success", "confidence", "face_id") if name in header]
    columns = of_face(read_columns(path, [clock.name, *names.values(), *optional]), options)
    times, notes = row_times(columns.numbers[clock.name], clock, options.rate, source)
    columns, times = increasing(columns, times, clock.name)
    measured = au_values(columns, names)
    lost = leave_out_lost(measured, columns, options, source)
    values, said = as_intensities(measured, 1.0, options.scale, source)
    meaning = ", ".join(f"{name} is AU{au}" for au, name in names.items())
    notes.append(f"{source}: columns by their place, without an official list: {meaning}")
    return PerformanceTable(times, values, source, (*columns.notes, *notes, *lost, *said))
