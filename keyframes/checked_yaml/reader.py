"""Reads checked values off located nodes, and collects every problem instead of stopping at one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from keyframes.au import AUCode
from keyframes.checked_yaml.located import Node
from keyframes.clock.instant import Instant, parse_duration, parse_instant
from keyframes.errors import KeyframeError
from keyframes.facs import parse_level
from keyframes.people import EVERYONE, Person
from keyframes.problems import Place, Problem

T = TypeVar("T")

_PERCENT = re.compile(r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+))\s*%\s*")
WHOLE_FILE = "a curve file"
"""What the outermost map of a file is called in messages."""
_LONG_S = 20.0
"""A bare number of this many seconds or more was meant as milliseconds, most likely."""


def nearest(word: str, known: Collection[str]) -> str:
    """`; did you mean …?` for a word that is one slip away from a known one; else nothing."""
    close = difflib.get_close_matches(word.lower(), [w.lower() for w in known], 1, 0.7)
    found = next((w for w in known if close and w.lower() == close[0]), None)
    return f"; did you mean {found}?" if found is not None else ""


class Reader:
    """Values in, problems aside: a bad value is noted and a harmless one returned."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.people: dict[str, Person] = {}

    def error(self, place: Place, message: str) -> None:
        """Note what is wrong; reading goes on."""
        self.problems.append(Problem(place, message))

    def warn(self, place: Place, message: str) -> None:
        """Note what is odd but usable."""
        self.problems.append(Problem(place, message, is_error=False))

    @property
    def failed(self) -> bool:
        """Whether anything found so far forbids the sheet."""
        return any(problem.is_error for problem in self.problems)

    def attempt(self, node: Node, parse: Callable[[], T], instead: T) -> T:
        """What a parser gives, or its complaint noted at the node."""
        try:
            return parse()
        except KeyframeError as error:
            self.error(node.place, str(error))
            return instead

    def mapping(self, node: Node, known: Collection[str], what: str) -> Mapping[str, Node]:
        """The entries of a map that may hold these keys only."""
        if not isinstance(node.value, dict):
            # What stands in a file that is no curve file at all is not repeated: it may be secret.
            is_other_file = isinstance(node.value, str) and what == WHOLE_FILE
            got = "other text" if is_other_file else node.kind()
            self.error(node.place, f"{what}: got {got}; expected a map")
            return {}
        for key in node.value:
            if key not in known:
                message = f"unknown key {key!r}; known: {', '.join(known)}"
                self.error(node.key_places[key], message + nearest(key, known))
        return {key: item for key, item in node.value.items() if key in known}

    def items(self, node: Node, what: str) -> tuple[Node, ...]:
        """The items of a list."""
        if not isinstance(node.value, tuple):
            self.error(node.place, f"got {node.kind()}; expected a list of {what}")
            return ()
        return node.value

    def text(self, node: Node) -> str:
        """A text that is not empty."""
        value = node.scalar()
        if isinstance(value, str) and value:
            return value
        self.error(node.place, f"got {node.kind()}; expected a text")
        return ""

    def words(self, node: Node) -> str:
        """A text that may be empty."""
        value = node.scalar()
        if isinstance(value, str):
            return value
        self.error(node.place, f"got {node.kind()}; expected a text")
        return ""

    def choice(self, node: Node, known: Collection[str], instead: str) -> str:
        """One of a few words; `-` and `_` are the same."""
        value = node.scalar()
        word = value.replace("-", "_") if isinstance(value, str) else value
        if isinstance(word, str) and word in known:
            return word
        close = nearest(word, known) if isinstance(word, str) else ""
        self.error(node.place, f"got {node.kind()}; known: {', '.join(known)}{close}")
        return instead

    def number(self, node: Node, low: float = -1e6, high: float = 1e6) -> float:
        """A number in a range; `50%` is 0.5."""
        value = node.scalar()
        if isinstance(value, str) and (percent := _PERCENT.fullmatch(value)):
            value = float(percent[1]) / 100
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.error(node.place, f"got {node.kind()}; expected a number")
            return max(low, min(high, 0.0))
        if not low <= value <= high:
            self.error(node.place, f"got {value:g}; expected {low:g} to {high:g}")
            return max(low, min(high, 0.0))
        return float(value)

    def whole(self, node: Node, low: int, high: int) -> int:
        """A whole number in a range."""
        value = node.scalar()
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.error(node.place, f"got {node.kind()}; expected a whole number, {low} to {high}")
            return low
        return value

    def instant(self, node: Node) -> Instant:
        """A point in time."""
        value = node.scalar()
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.error(node.place, f"got {node.kind()}; expected a time like 1.5s, 12f or 50%")
            return Instant()
        return self.attempt(node, lambda: parse_instant(value), Instant())

    def duration(self, node: Node) -> Instant:
        """A length of time."""
        value = node.scalar()
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.error(node.place, f"got {node.kind()}; expected a length like 400ms, 12f or 5%")
            return Instant()
        if not isinstance(value, str) and value >= _LONG_S:
            self.warn(
                node.place, f"{value:g} is {value:g} seconds; write {value:g}ms or {value:g}s"
            )
        return self.attempt(node, lambda: parse_duration(value), Instant())

    def intensity(self, node: Node, mode: str, au: AUCode | None) -> float:
        """A value in the unit of a mode: FACS letters where it is an intensity."""
        value = node.scalar()
        if mode == "neutralise":
            return self.number(node, 0.0, 1.0)
        if mode == "scale" or not isinstance(value, str) or value.endswith("%"):
            return self.number(node, -100.0, 100.0)
        return self.attempt(node, lambda: parse_level(value, au), 0.0)

    def faces(self, node: Node) -> tuple[int | str, ...] | None:
        """Track numbers, then names of `people`; None for `all`."""
        if node.value == EVERYONE:
            return None
        if isinstance(node.value, dict):
            return tuple(node.value) or self._not_faces(node)
        found = [item.scalar() for item in node.items() or (node,)]
        numbers = [n for n in found if type(n) is int and n >= 0]
        names = [n for n in found if isinstance(n, str) and n in self.people]
        if len(numbers) + len(names) < len(found):
            return self._not_faces(node)
        return (*sorted(set(numbers)), *dict.fromkeys(names))

    def _not_faces(self, node: Node) -> tuple[int]:
        unknown = [i for i in node.items() or (node,) if isinstance(i.scalar(), str)]
        word = next((str(i.value) for i in unknown if i.value not in self.people), "")
        known = f"names known: {', '.join(self.people)}" if self.people else "no names are given"
        expected = "a track (0 is the largest), a name with a picture, a list or all"
        close = nearest(word, self.people)
        self.error(
            node.place,
            f"got {repr(word) if word else node.kind()}; expected {expected}; {known}{close}",
        )
        return (0,)
