"""YAML text as a tree in which every value knows its line and column.

Built from parser events alone: nothing is ever constructed, so a tag cannot name code to run.
Size, depth and the number of values after alias expansion are bounded before they cost anything.
"""

# PyYAML ships no types: what comes out of it is checked by the annotations here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingModuleSource=false, reportUnknownParameterType=false

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from keyframes.problems import Place, Problem, SheetError

MAX_BYTES: Final = 2_000_000
"""Larger curves belong in a table that the file imports."""
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 500_000

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML has it (all its wheels do): the same events, 20 times as fast."""

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Extent:
    """Where something stands in a text, as characters from its start.

    Attributes:
        start: of its first character.
        end: behind its last one; for a block collection, where the text after it goes on.
        is_flow: a collection in brackets.
        is_alias: it stands elsewhere, and here is only its name.
    """

    start: int
    end: int
    is_flow: bool = False
    is_alias: bool = False


_NOWHERE = Extent(0, 0)


@dataclass(frozen=True, slots=True)
class Node:
    """A value: a scalar, a tuple of nodes or a mapping of nodes.

    Attributes:
        value: what it is.
        place: for messages.
        key_places: of a mapping, where its keys stand, for messages.
        extent: where it stands in the text.
        key_extents: of a mapping, where its keys stand in the text.
    """

    value: Scalar | tuple[Node, ...] | dict[str, Node]
    place: Place
    key_places: Mapping[str, Place] = field(default_factory=dict[str, Place])
    extent: Extent = _NOWHERE
    key_extents: Mapping[str, Extent] = field(default_factory=dict[str, Extent])

    def items(self) -> tuple[Node, ...]:
        """The nodes of a sequence; empty for anything else."""
        return self.value if type(self.value) is tuple else ()

    def entries(self) -> Mapping[str, Node]:
        """The nodes of a mapping; empty for anything else."""
        return self.value if type(self.value) is dict else {}

    def scalar(self) -> Scalar:
        """The value of a scalar; None for anything else."""
        return None if isinstance(self.value, (tuple, dict)) else self.value

    def plain(self) -> Any:
        """The same without places, as JSON would hold it."""
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        return self.value

    def kind(self) -> str:
        """What it is, in words for a message."""
        if isinstance(self.value, tuple):
            return "a list"
        if isinstance(self.value, dict):
            return "a map"
        return "nothing" if self.value is None else repr(self.value)


class _Builder:
    """Turns the events of one document into nodes; recursion is bounded by MAX_DEPTH."""

    def __init__(self, events: Iterator[Event], file: str) -> None:
        self.events = events
        self.file = file
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.values = 0

    def fail(self, place: Place, message: str) -> SheetError:
        return SheetError([Problem(place, message)])

    def place(self, event: Event, key: str) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1, key)

    def count(self, values: int, place: Place) -> None:
        self.values += values
        if self.values > MAX_VALUES:
            raise self.fail(place, f"more than {MAX_VALUES} values, aliases counted as written out")

    def node(self, event: Event, key: str, depth: int) -> Node:
        place = self.place(event, key)
        if depth > MAX_DEPTH:
            raise self.fail(place, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, AliasEvent):
            return self.alias(event, place)
        assert isinstance(event, NodeEvent)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self.fail(place, f"tag {tag!r}; a curve file holds plain values without tags")
        before = self.values
        self.count(1, place)
        if isinstance(event, ScalarEvent):
            value = event.value if event.style else self.scalar(event.value, place)
            extent = Extent(event.start_mark.index, event.end_mark.index)
            node = Node(value, place, extent=extent)
        elif isinstance(event, SequenceStartEvent):
            node = self.sequence(event, place, depth)
        else:
            assert isinstance(event, MappingStartEvent)
            node = self.mapping(event, place, depth)
        if event.anchor is not None:
            self.anchors[str(event.anchor)] = (node, self.values - before)
        return node

    def alias(self, event: AliasEvent, place: Place) -> Node:
        anchor = str(event.anchor)
        if anchor not in self.anchors:
            raise self.fail(place, f"alias *{anchor} of nothing that stands complete before it")
        node, values = self.anchors[anchor]
        self.count(values, place)
        extent = Extent(event.start_mark.index, event.end_mark.index, is_alias=True)
        return replace(node, extent=extent)

    def scalar(self, text: str, place: Place) -> Scalar:
        if _INFINITE.fullmatch(text):
            raise self.fail(place, f"{text} is not a finite number")
        if text in ("", "~", "null"):
            return None
        if text in ("true", "false"):
            return text == "true"
        if _INT.fullmatch(text) and len(text) < 19:
            return int(text)
        if _FLOAT.fullmatch(text):
            return self.finite(float(text), place)
        return text

    def finite(self, number: float, place: Place) -> float:
        if abs(number) > 1e300:
            raise self.fail(place, f"{number} is not a finite number")
        return number

    def sequence(self, start: SequenceStartEvent, place: Place, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self.node(event, f"{place.key}[{len(items)}]", depth + 1))
        return Node(tuple(items), place, extent=self.extent(start, event))

    def mapping(self, start: MappingStartEvent, place: Place, depth: int) -> Node:
        entries: dict[str, Node] = {}
        places: dict[str, Place] = {}
        extents: dict[str, Extent] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            spot = self.place(event, place.key)
            if not isinstance(event, ScalarEvent):
                raise self.fail(spot, "a key must be a plain word")
            key = str(event.value)
            shown = key if key.isprintable() else repr(key)
            path = f"{place.key}.{shown}" if place.key else shown
            spot = Place(spot.file, spot.line, spot.column, path)
            if key in entries:
                raise self.fail(spot, f"key {key!r} stands twice, first in line {places[key].line}")
            places[key] = spot
            extents[key] = Extent(event.start_mark.index, event.end_mark.index)
            entries[key] = self.node(next(self.events), path, depth + 1)
        return Node(entries, place, places, self.extent(start, event), extents)

    @staticmethod
    def extent(start: SequenceStartEvent | MappingStartEvent, end: Event) -> Extent:
        return Extent(start.start_mark.index, end.end_mark.index, bool(start.flow_style))


def read_yaml(text: str, file: str) -> Node:
    """The one document of a YAML 1.2 text.

    Raises:
        SheetError: too large or deep, not YAML, tags, duplicate keys, infinite numbers, more than
            one document; with the place.
    """
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise SheetError([Problem(Place(file), _too_large(len(text)))])
    try:
        return _document(text, file)
    except yaml.YAMLError as error:
        raise SheetError([_syntax_problem(error, file, len(text.rstrip()))]) from None


def read_text(path: Path) -> str:
    """A curve file's text, its size checked before a byte is read.

    Raises:
        SheetError: too large, not readable or not UTF-8.
    """
    place = Place(str(path))
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SheetError([Problem(place, _too_large(size))])
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise SheetError([Problem(place, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text (byte {error.start}); expected YAML"
        raise SheetError([Problem(place, message)]) from None


def _too_large(size: int) -> str:
    return (
        f"{size / 1e6:.1f} MB; a curve file may have {MAX_BYTES / 1e6:g} MB, "
        "longer curves are imported from a table"
    )


def _document(text: str, file: str) -> Node:
    events: Iterator[Event] = iter(yaml.parse(text, Loader=_PARSER))
    root: Node | None = None
    for event in events:
        if not isinstance(event, DocumentStartEvent):
            continue
        mark = event.start_mark
        if root is not None:
            place = Place(file, mark.line + 1, mark.column + 1)
            raise SheetError([Problem(place, "a second document; expected one")])
        first = next(events)
        if not isinstance(first, DocumentEndEvent):
            root = _Builder(events, file).node(first, "", 1)
    return root if root is not None else Node(None, Place(file, 1, 1))


def _syntax_problem(error: Exception, file: str, length: int) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "context", None)
    if mark is None:
        reason = str(error).strip().splitlines()
        return Problem(Place(file), f"not YAML: {reason[0] if reason else type(error).__name__}")
    opened = getattr(error, "context_mark", None)
    if mark.index >= length and opened is not None:
        mark = opened  # what never ends is told of where it begins
    return Problem(Place(file, mark.line + 1, mark.column + 1), f"not YAML: {said}")
