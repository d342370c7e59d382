"""Where something stands in a file, and everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keyframes.errors import KeyframeError


@dataclass(frozen=True)
class Place:
    """A spot in a text file; line and column count from 1, 0 where there is no text."""

    file: str
    line: int = 0
    column: int = 0
    key: str = ""

    def __str__(self) -> str:
        spot = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{spot}: {self.key}" if self.key else spot


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file."""

    place: Place
    message: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {'' if self.is_error else 'warning: '}{self.message}"


class SheetError(KeyframeError):
    """A curve file that cannot be used; `problems` holds every one, the message the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        more = len(self.problems) - 1
        return str(self.problems[0]) + (f" (and {more} more)" if more else "")
