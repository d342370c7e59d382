"""The whole of a curve file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from keyframes.checked_yaml.located import Node
from keyframes.checked_yaml.reader import Reader
from keyframes.layer import Layer
from keyframes.sheet import KeyframeSheet
from keyframes.sheet_file.read_keys import Defaults
from keyframes.sheet_file.read_layer import LAYER_FIELDS, SOURCE_FIELDS, read_defaults, read_layers

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
    entries = reader.mapping(root, SHEET_FIELDS, "a curve file")
    _check_version(reader, root, entries)
    defaults = read_defaults(reader, entries, Defaults())
    layers: list[Layer] = []
    if any(field in entries for field in SOURCE_FIELDS):
        bottom = Node(dict(entries), root.place, root.key_places)
        layers += read_layers(reader, bottom, defaults, (0,), folder, known=SHEET_FIELDS)
    faces = reader.faces(entries["faces"]) if "faces" in entries else (0,)
    for node in reader.items(entries["layers"], "layers") if "layers" in entries else ():
        layers += read_layers(reader, node, defaults, faces, folder)
    if not layers and not reader.failed:
        known = ", ".join((*SOURCE_FIELDS, "layers"))
        reader.error(root.place, f"nothing to do; expected one of {known}")
    if reader.failed:
        return None
    return KeyframeSheet(
        name=reader.text(entries["name"]) if "name" in entries else name,
        layers=tuple(layers),
        input=tuple(_paths(reader, entries.get("input"), folder)),
        output=next(iter(_paths(reader, entries.get("output"), folder)), None),
        description=str(entries["description"].scalar() or "") if "description" in entries else "",
        warnings=tuple(str(problem.message) for problem in reader.problems),
    )


def _check_version(reader: Reader, root: Node, entries: Mapping[str, Node]) -> None:
    if not entries:
        return
    if "version" not in entries:
        reader.error(root.place, f"no version; expected version: {VERSION} at the top")
    elif entries["version"].scalar() != VERSION:
        found = entries["version"]
        reader.error(found.place, f"version {found.kind()}; known: {VERSION}")


def _paths(reader: Reader, node: Node | None, folder: Path | None) -> list[str]:
    if node is None:
        return []
    texts = [reader.text(item) for item in node.items() or (node,)]
    return texts if folder is None else [str(folder / text) for text in texts]
