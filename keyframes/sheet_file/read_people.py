"""`faces: {lead: lead.jpg}`: people that a curve file knows by picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from keyframes.checked_yaml.located import Node
from keyframes.checked_yaml.reader import Reader
from keyframes.people import EVERYONE, Person


def read_people(
    reader: Reader, entries: Mapping[str, Node], folder: Path | None
) -> tuple[Person, ...]:
    """Everybody that the file or one of its layers names; the reader knows their names then.

    Args:
        entries: of the file.
        folder: where relative paths start.
    """
    for node in _maps(entries):
        for name, pictures in node.entries().items():
            person = _person(reader, name, node, pictures, folder)
            if person is None:
                continue
            if reader.people.setdefault(name, person) != person:
                reader.error(node.key_places[name], f"{name} has other pictures elsewhere")
    return tuple(reader.people.values())


def _maps(entries: Mapping[str, Node]) -> Iterator[Node]:
    """The `faces` of the file and its layers that say who is who."""
    layers = entries["layers"].items() if "layers" in entries else ()
    for holder in (entries, *(layer.entries() for layer in layers)):
        if "faces" in holder and isinstance(holder["faces"].value, dict):
            yield holder["faces"]


def _person(
    reader: Reader, name: str, node: Node, pictures: Node, folder: Path | None
) -> Person | None:
    place = node.key_places[name]
    if name == EVERYONE or name.lstrip("+-").isdigit() or not name.strip():
        reader.error(place, f"got {name!r}; expected a name that is no number and not {EVERYONE}")
        return None
    paths, digests = list[str](), list[str]()
    for item in pictures.items() or (pictures,):
        text = reader.text(item)
        path = (folder or Path()) / text
        try:
            digests.append(hashlib.sha256(path.read_bytes()).hexdigest() if text else "")
        except OSError as error:
            why = error.strerror or error
            reader.error(item.place, f"picture {path} cannot be read: {why}; expected a face")
        paths.append(str(path))
    return Person(name, tuple(paths), tuple(digests))
