"""A curve for other faces or another part of the clip than its file says, as a table may ask.

Only what is the same for the whole curve can be said anew: layers for different faces, or with
ranges of their own, would lose what they were written for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from keyframes.checked_yaml.located import Node, Scalar
from keyframes.checked_yaml.reader import Reader
from keyframes.layer import Layer, SoftRange
from keyframes.problems import Place, SheetError
from keyframes.sheet import KeyframeSheet
from keyframes.sheet_file.read_presence import read_span

FIELDS = ("faces", "range", "fade")
_LISTED = re.compile(r"\s*[;,]\s*")
_SPANNED = re.compile(r"\s+to\s+")


def narrowed(sheet: KeyframeSheet, said: Mapping[str, str]) -> KeyframeSheet:
    """The sheet with what is said of it in place of what its layers say.

    Args:
        sheet: as its file gives it.
        said: `faces` (`0`, `0;2`, `anna`, `all`), `range` (`1s to 3s`) and `fade` (`200ms`, or
            `200ms to 1s`), each as in a curve file; empty ones say nothing.
    Raises:
        SheetError: not understood, or the sheet has more than one of it.
    """
    reader = Reader()
    reader.people = {person.name: person for person in sheet.people}
    entries = {name: _node(name, said[name]) for name in FIELDS if said.get(name)}
    _refuse_several(reader, sheet, entries)
    layers = sheet.layers
    if "faces" in entries:
        faces = reader.faces(entries["faces"])
        layers = tuple(replace(layer, faces=faces) for layer in layers)
    if "range" in entries and len(entries["range"].items()) != 2:
        reader.error(entries["range"].place, f"got {said['range']!r}; expected it like 1s to 3s")
    elif "range" in entries or "fade" in entries:
        span = read_span(reader, entries)
        layers = tuple(replace(layer, span=_span(layer, span, entries)) for layer in layers)
    if reader.failed:
        raise SheetError([found for found in dict.fromkeys(reader.problems) if found.is_error])
    return replace(sheet, layers=layers)


def _node(name: str, text: str) -> Node:
    at = Place(name)
    parts = (_LISTED if name == "faces" else _SPANNED).split(text.strip())
    if len(parts) == 1:
        return Node(_scalar(name, parts[0]), at)
    return Node(tuple(Node(_scalar(name, part), at) for part in parts), at)


def _scalar(name: str, text: str) -> Scalar:
    return int(text) if name == "faces" and text.isdecimal() else text


def _refuse_several(reader: Reader, sheet: KeyframeSheet, entries: Mapping[str, Node]) -> None:
    if "faces" in entries and len({layer.faces for layer in sheet.layers}) > 1:
        message = "the layers of its curve are for different faces; expected this to be empty"
        reader.error(entries["faces"].place, message)
    ranged = any(_has_range(layer) for layer in sheet.layers)
    for name in ("range", "fade"):
        if name in entries and ranged:
            message = "layers of its curve have a range of their own; expected this to be empty"
            reader.error(entries[name].place, message)


def _has_range(layer: Layer) -> bool:
    whole = SoftRange()
    return layer.span is not None and (layer.span.start, layer.span.end) != (whole.start, whole.end)


def _span(layer: Layer, said: SoftRange, entries: Mapping[str, Node]) -> SoftRange:
    """A layer's own fade stays where only a range is said."""
    if layer.span is None or "fade" in entries:
        return said
    return replace(said, fade_in=layer.span.fade_in, fade_out=layer.span.fade_out)
