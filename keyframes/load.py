"""Curve files into sheets; errors say file, line, column, key, what was found and what is known."""

from __future__ import annotations

import contextlib
from pathlib import Path

from keyframes.checked_yaml.located import read_text, read_yaml
from keyframes.checked_yaml.reader import Reader, nearest
from keyframes.errors import KeyframeError
from keyframes.formats.recognise import table_format
from keyframes.presets import known_presets, preset_text
from keyframes.problems import Place, Problem, SheetError
from keyframes.sheet import KeyframeSheet
from keyframes.sheet_file.read_sheet import read_sheet

_TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".json", ".gz")


def load_sheet(reference: str, folder: Path = Path()) -> KeyframeSheet:
    """A sheet from a path, else from the preset of that name (`smile` or `smile.yaml`).

    Args:
        folder: where a relative path starts; without, where the process does.
    Raises:
        SheetError: no such file or preset (the presets named), or a file that cannot be used.
    """
    path = folder / reference
    if path.is_file():
        return parse_sheet(curve_text(path), str(path), folder=path.resolve().parent)
    name = reference.removesuffix(".yaml").removesuffix(".yml")
    if name in known_presets():
        return parse_sheet(preset_text(name), f"{name}.yaml")
    known = ", ".join(known_presets())
    close = nearest(name, known_presets())
    raise SheetError([Problem(Place(reference), f"no such curve file; presets: {known}{close}")])


def curve_text(path: Path) -> str:
    """A curve file's text.

    Raises:
        SheetError: not readable, or a table or timeline, with what to do with it.
    """
    kind = "an OpenTimelineIO timeline" if path.suffix.lower() == ".otio" else _table_kind(path)
    if kind is None:
        return read_text(path)
    made = path.with_suffix(".yaml").name
    raise SheetError(
        [
            Problem(
                Place(str(path)),
                f"{kind}, not a curve file; write import: {path.name} in a curve file, or make one "
                f"of it: python jobs/curve.py convert {path} --output {made}",
            )
        ]
    )


def _table_kind(path: Path) -> str | None:
    if path.suffix.lower() in (".yaml", ".yml", ""):
        return None
    with contextlib.suppress(KeyframeError):
        return f"a table ({table_format(path)})"
    return "a table" if path.suffix.lower() in _TABLE_SUFFIXES else None


def parse_sheet(text: str, name: str, *, folder: Path | None = None) -> KeyframeSheet:
    """A sheet from YAML text.

    Args:
        text: the file's content.
        name: its path, or whatever messages should call it.
        folder: where its relative paths start; None leaves them as they are.

    Raises:
        SheetError: every problem of the text; the first is the message.
    """
    sheet, problems = inspect_sheet(text, name, folder=folder)
    if sheet is None:
        raise SheetError([problem for problem in problems if problem.is_error])
    return sheet


def inspect_sheet(
    text: str, name: str, *, folder: Path | None = None
) -> tuple[KeyframeSheet | None, list[Problem]]:
    """A sheet, where the text gives one, and all problems of the text, warnings too."""
    try:
        root = read_yaml(text, name)
    except SheetError as error:
        return None, list(error.problems)
    reader = Reader()
    sheet = read_sheet(reader, root, Path(name).stem, folder)
    return sheet, sorted(reader.problems, key=lambda found: (found.place.line, found.place.column))
