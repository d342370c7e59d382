"""The whole of a curve file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from keyframes.checked_yaml.located import Node
from keyframes.checked_yaml.reader import WHOLE_FILE, Reader
from keyframes.layer import Layer
from keyframes.sheet import KeyframeSheet
from keyframes.sheet_file.read_keys import Defaults
from keyframes.sheet_file.read_layer import LAYER_FIELDS, SOURCE_FIELDS, read_defaults, read_layers
from keyframes.sheet_file.read_people import read_people

VERSION = 1
SHEET_FIELDS = ("version", "description", "input", "output", "layers", *LAYER_FIELDS)


def read_sheet(reader: Reader, root: Node, name: str, folder: Path | None) -> KeyframeSheet | None:
    """A sheet; its root is the bottom layer, if it says what that is made of.

    Args:
        reader: takes the problems.
        root: the document.
        name: the sheet's name unless the file gives one.
        folder: where relative paths start; None leaves them as they are.

    Returns:
        None if a problem forbids it.
    """
    entries = reader.mapping(root, SHEET_FIELDS, WHOLE_FILE)
    _check_version(reader, root, entries)
    people = read_people(reader, entries, folder)
    defaults = read_defaults(reader, entries, Defaults())
    layers: list[Layer] = []
    if any(field in entries for field in SOURCE_FIELDS):
        bottom = Node(dict(entries), root.place, root.key_places)
        layers += read_layers(reader, bottom, defaults, (0,), folder, known=SHEET_FIELDS)
    faces = reader.faces(entries["faces"]) if "faces" in entries else (0,)
    for node in reader.items(entries["layers"], "layers") if "layers" in entries else ():
        layers += read_layers(reader, node, defaults, faces, folder)
    shown = reader.text(entries["name"]) if "name" in entries else name
    inputs = tuple(_paths(reader, entries.get("input"), folder))
    output = _path(reader, entries["output"], folder) if "output" in entries else None
    description = reader.words(entries["description"]) if "description" in entries else ""
    if not layers and not reader.failed:
        known = ", ".join((*SOURCE_FIELDS, "layers"))
        reader.error(root.place, f"nothing to do; expected one of {known}")
    if reader.failed:
        return None
    return KeyframeSheet(
        name=shown,
        layers=tuple(layers),
        input=inputs,
        output=output,
        description=description,
        people=people,
        warnings=tuple(str(problem.message) for problem in reader.problems),
    )


def _check_version(reader: Reader, root: Node, entries: Mapping[str, Node]) -> None:
    if not entries:
        return
    if "version" not in entries:
        reader.error(root.place, f"no version; expected version: {VERSION} at the top")
    elif type(entries["version"].scalar()) is not int or entries["version"].scalar() != VERSION:
        found = entries["version"]
        reader.error(found.place, f"version {found.kind()}; known: {VERSION}")


def _paths(reader: Reader, node: Node | None, folder: Path | None) -> list[str]:
    if node is None:
        return []
    return [_path(reader, item, folder) for item in node.items() or (node,)]


def _path(reader: Reader, node: Node, folder: Path | None) -> str:
    text = reader.text(node)
    return text if folder is None else str(folder / text)
