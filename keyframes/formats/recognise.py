"""Every table format by name; a file is recognised by its beginning."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keyframes.au import AU_ORDER, AUCode
from keyframes.errors import KeyframeError
from keyframes.formats import aftereffects, analysis, libreface, openface, openface3, pyfeat
from keyframes.formats.blendshapes import ifacialmocap, livelink
from keyframes.formats.blendshapes import json_tables as blendshapes_json
from keyframes.formats.blendshapes import tables as blendshapes
from keyframes.formats.rows.options import Options
from keyframes.formats.rows.preview import Preview
from keyframes.sources.performance import PerformanceTable, columns_of


@dataclass(frozen=True)
class TableFormat:
    """How to recognise a format by a file's beginning, and how to read it."""

    recognises: Callable[[Preview], bool]
    read: Callable[[Path, Options], PerformanceTable]


TABLE_FORMATS: dict[str, TableFormat] = {
    "livelink": TableFormat(livelink.recognises, livelink.read),
    "openface3": TableFormat(openface3.recognises, openface3.read),
    "openface": TableFormat(openface.recognises, openface.read),
    "libreface": TableFormat(libreface.recognises, libreface.read),
    "pyfeat": TableFormat(pyfeat.recognises, pyfeat.read),
    "analysis": TableFormat(analysis.recognises, analysis.read),
    "blendshapes": TableFormat(blendshapes.recognises, blendshapes.read),
    "blendshapes_json": TableFormat(blendshapes_json.recognises, blendshapes_json.read),
    "ifacialmocap": TableFormat(ifacialmocap.recognises, ifacialmocap.read),
    "aftereffects": TableFormat(aftereffects.recognises, aftereffects.read),
}
"""In the order in which they are tried."""


COLUMN_NAME = re.compile(r"\s*[A-Za-z_][\w .()/\-]{0,63}\s*")
"""What a table's column may be called: a first line of others is no header and is not repeated."""

_SHUT = 2.5
"""Eyes that shut further than this shut to be seen, of 5."""


def _shown(header: tuple[str, ...]) -> str:
    if len(header) < 2 or not all(COLUMN_NAME.fullmatch(name) for name in header):
        return "its first line is no header"
    return ", ".join(header[:8]) + (", …" if len(header) > 8 else "")


def table_format(path: Path) -> str:
    """The name of a file's format.

    Raises:
        KeyframeError: not readable, or of no known format (the known ones named).
    """
    preview = Preview(path)
    for name, entry in TABLE_FORMATS.items():
        if entry.recognises(preview):
            return name
    shown = _shown(preview.header)
    known = ", ".join(TABLE_FORMATS)
    raise KeyframeError(f"{path}:1: columns of no known table: {shown}; known formats: {known}")


def read_table(path: Path, name: str = "auto", options: Options | None = None) -> PerformanceTable:
    """A performance from a file.

    Args:
        path: a table; Parquet for analysis tables.
        name: a key of TABLE_FORMATS, or `auto`.
        options: what the file does not say itself.

    Raises:
        KeyframeError: not that format, or broken; with line and column.
    """
    if not path.is_file():
        raise KeyframeError(f"{path}: no such file")
    if path.suffix.lower() in (".yaml", ".yml"):
        raise KeyframeError(f"{path}: a curve file; expected a table")
    options = options or Options()
    found = TABLE_FORMATS[table_format(path) if name == "auto" else name].read(path, options)
    return without_lids(found) if options.aus is None else of_aus(found, options.aus)


def without_lids(table: PerformanceTable) -> PerformanceTable:
    """The table without shut eyes, which come only where they are named; a note if it has them."""
    if table.lids is None:
        return table
    shuts = bool((table.lids > _SHUT).any())
    told = f"{table.source}: its eyes shut; left to the actor (aus: [43, …] takes them)"
    return replace(table, lids=None, notes=(*table.notes, *([told] if shuts else [])))


def of_aus(table: PerformanceTable, aus: tuple[AUCode, ...]) -> PerformanceTable:
    """A table of some AUs alone; the others count as not measured.

    Raises:
        KeyframeError: none of them is in the table.
    """
    taken = sorted(columns_of(aus))
    values = np.full_like(table.all_values, np.nan)
    values[:, taken] = table.all_values[:, taken]
    if not np.isfinite(values).any():
        known = ", ".join(f"AU{au}" for au in table.aus)
        wanted = ", ".join(f"AU{au}" for au in aus)
        raise KeyframeError(f"{table.source}: nothing measured of {wanted}; known: {known}")
    values, lids = np.split(values, [len(AU_ORDER)], axis=1)
    return replace(table, values=values, lids=lids if np.isfinite(lids).any() else None)
