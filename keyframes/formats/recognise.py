"""Every table format by name; a file is recognised by its columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keyframes.errors import KeyframeError
from keyframes.formats import analysis, libreface, livelink, openface, pyfeat
from keyframes.formats.columns import read_header
from keyframes.formats.options import Options
from keyframes.sources.performance import PerformanceTable


@dataclass(frozen=True)
class TableFormat:
    """How to recognise a format by its header, and how to read it."""

    recognises: Callable[[tuple[str, ...]], bool]
    read: Callable[[Path, Options], PerformanceTable]


TABLE_FORMATS: dict[str, TableFormat] = {
    "livelink": TableFormat(livelink.recognises, livelink.read),
    "openface": TableFormat(openface.recognises, openface.read),
    "libreface": TableFormat(libreface.recognises, libreface.read),
    "pyfeat": TableFormat(pyfeat.recognises, pyfeat.read),
    "analysis": TableFormat(analysis.recognises, analysis.read),
}


def table_format(path: Path) -> str:
    """The name of a file's format.

    Raises:
        KeyframeError: not readable, or columns of no known format (the known ones named).
    """
    parquet = path.suffix.lower() in (".parquet", ".pq")
    header = analysis.parquet_header(path) if parquet else read_header(path)
    for name, entry in TABLE_FORMATS.items():
        if entry.recognises(header):
            return name
    shown = ", ".join(header[:8]) + (", …" if len(header) > 8 else "")
    known = ", ".join(TABLE_FORMATS)
    raise KeyframeError(f"{path}:1: columns of no known table: {shown}; known formats: {known}")


def read_table(path: Path, name: str = "auto", options: Options | None = None) -> PerformanceTable:
    """A performance from a file.

    Args:
        path: CSV, or Parquet for analysis tables.
        name: a key of TABLE_FORMATS, or `auto`.
        options: what the file does not say itself.

    Raises:
        KeyframeError: not that format, or broken; with line and column.
    """
    if not path.is_file():
        raise KeyframeError(f"{path}: no such file")
    return TABLE_FORMATS[table_format(path) if name == "auto" else name].read(
        path, options or Options()
    )
