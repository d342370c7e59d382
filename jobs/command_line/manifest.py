"""Manifests: one table that says of every clip what is to be made of it. CSV, JSONL or Parquet.

A table that cannot be read at all is refused; what is wrong with a row is a line about that row.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from jobs.command_line.inputs import Asked, Refused
from jobs.errors import JobError
from keyframes.checked_yaml.reader import nearest
from keyframes.presets import known_presets
from pipeline.errors import StorageError
from pipeline.storage.copies import fetch
from pipeline.storage.urls import here

COLUMNS = ("input", "output", *Asked._fields)
WHY = "why"
"""A column that is passed over: what went wrong with a row in the run that wrote the table."""
KNOWN = (*COLUMNS, WHY)
JOINED = {"faces": ";", "range": " to ", "fade": " to "}
"""How lists of JSONL and Parquet are written as text."""


@dataclass(frozen=True)
class Row:
    """One clip of a manifest; relative paths are from the manifest's folder.

    Attributes:
        place: file and line, for messages.
        input, output: paths; no output where the row names none.
    """

    place: str
    input: str
    output: str
    asked: Asked

    def refused(self, why: str, output: str = "") -> Refused:
        """A line about the row."""
        entry, told = (self.input, f"{self.place}: {why}") if self.input else (self.place, why)
        return Refused(entry, told, output or self.output, self.asked)


Cells = Mapping[str, Any]
Numbered = tuple[int, Cells | str]
"""A row's number with its cells, or why it has none."""


def read_manifest(path: Path) -> list[Row | Refused]:
    """The rows of a manifest in order, and of each that cannot be used a line that says why.

    Raises:
        JobError: no readable table, or columns that are not known.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise JobError(f"--manifest {path}: expected a name ending in {' or '.join(READERS)}")
    fetch(path)
    try:
        numbered = list(reader(path))
    except OSError as error:
        raise JobError(f"--manifest {path}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise JobError(f"--manifest {path}: is no such table: {error}") from None
    _check_columns(path, (cells for _, cells in numbered if not isinstance(cells, str)))
    found = [_row(path, number, cells) for number, cells in numbered]
    if not found:
        raise JobError(f"--manifest {path}: has no rows; expected one for each video")
    return found


def _check_columns(path: Path, rows: Iterable[Cells]) -> None:
    names = dict.fromkeys(name for cells in rows for name in cells)
    for name in names:
        if name not in KNOWN:
            raise JobError(
                f"--manifest {path}: unknown column {name!r}; known: {', '.join(KNOWN)}"
                f"{nearest(name, KNOWN)} (what else is said holds for the whole job: options)"
            )
    if names and "input" not in names:
        raise JobError(f"--manifest {path}: no column input; got {', '.join(names)}")


def _row(path: Path, number: int, cells: Cells | str) -> Row | Refused:
    place = f"{path.name}:{number}"
    if isinstance(cells, str):
        return Refused(place, cells)
    try:
        return _said(path, place, cells)
    except StorageError as error:
        return Refused(place, str(error))


def _said(path: Path, place: str, cells: Cells) -> Row | Refused:
    said = {name: _text(name, cells.get(name)) for name in COLUMNS}
    wrong = next((name for name, text in said.items() if text is None), None)
    row = Row(
        place,
        _beside(path, said["input"] or ""),
        _beside(path, said["output"] or ""),
        Asked(
            _curve(path, said["curve"] or ""),
            said["faces"] or "",
            said["range"] or "",
            said["fade"] or "",
            _view(path, said["view"] or ""),
        ),
    )
    if wrong is not None:
        return row.refused(f"{wrong}: got {cells[wrong]!r}; expected a text")
    return row if row.input else row.refused("no input; expected a video")


def _text(name: str, value: Any) -> str | None:
    """A cell as text; None where it is none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool) and name in JOINED:
        return str(value)
    listed: Any = value
    if isinstance(value, list) and name in JOINED:
        parts = [_text(name, part) for part in listed]
        known = [part for part in parts if part is not None]
        return JOINED[name].join(known) if len(known) == len(parts) else None
    return None


def _beside(path: Path, name: str) -> str:
    """A path as from the manifest's folder; a folder's last slash stays."""
    return os.path.join(path.parent, os.path.expanduser(here(name))) if name else ""  # noqa: PTH111, PTH118


def _curve(path: Path, name: str) -> str:
    """A curve file as from the manifest's folder, or a preset's name."""
    made = _beside(path, name)
    is_preset = name.removesuffix(".yaml").removesuffix(".yml") in known_presets()
    return name if is_preset and not Path(made).is_file() else made


def _view(path: Path, name: str) -> str:
    """A view's name, or a table as from the manifest's folder."""
    return _beside(path, name) if name.lower().endswith(".cube") else name


def _of_csv(path: Path) -> Iterator[Numbered]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        heading = [name.strip() for name in next(reader, ())]
        if len(set(heading)) < len(heading):
            raise ValueError(f"a column comes twice: {', '.join(heading)}")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(heading):
                yield reader.line_num, f"has {len(cells)} cells; its heading has {len(heading)}"
            else:
                yield reader.line_num, dict(zip(heading, cells, strict=False))


def _of_jsonl(path: Path) -> Iterator[Numbered]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                cells: Any = json.loads(line)
            except json.JSONDecodeError as error:
                yield number, f"is no JSON: {error.msg}"
                continue
            known = isinstance(cells, dict)
            yield number, cast(Cells, cells) if known else "is no JSON object"


def _of_parquet(path: Path) -> Iterator[Numbered]:
    arrow: Any = import_module("pyarrow")  # ships no types
    parquet: Any = import_module("pyarrow.parquet")
    try:
        rows: list[Cells] = parquet.read_table(path).to_pylist()
    except arrow.ArrowException as error:
        raise ValueError(str(error)) from None
    yield from enumerate(rows, 1)


READERS: dict[str, Callable[[Path], Iterator[Numbered]]] = {
    ".csv": _of_csv,
    ".jsonl": _of_jsonl,
    ".parquet": _of_parquet,
}


def manifest_text(rows: Iterable[Mapping[str, str]]) -> str:
    """Rows as a CSV manifest with the column `why`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, KNOWN, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
