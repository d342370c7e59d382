"""Which elements there are, what they are called and where they lie: beside the output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.settings import ElementWish

MATTES = ("prores", "ffv1", "png", "exr")
SEQUENCES = ("png", "exr")
MOVIES = {"prores": ".mov", "ffv1": ".mkv"}
"""Kinds that are movies, and the container of each."""
DIGITS = 6
"""Of a picture's number, which is its frame's, from 0."""


@dataclass(frozen=True)
class Element:
    """One of an output's elements.

    Attributes:
        what: `matte`, with the layer, or `sequence`, the output's own pictures.
        kind: of `MATTES` or `SEQUENCES`.
    """

    what: str
    kind: str

    @property
    def is_movie(self) -> bool:
        return self.kind in MOVIES

    @property
    def has_alpha(self) -> bool:
        return self.what == "matte"

    def place(self, output: Path) -> Path:
        """A movie, or a folder of pictures."""
        return output.with_suffix(f".{self.what}{MOVIES.get(self.kind, '')}")

    def picture_name(self, output: Path, frame: int) -> str:
        """Of a picture in the folder."""
        return f"{output.stem}.{self.what}.{frame:0{DIGITS}}.{self.kind}"

    def piece(self, of_output: Path) -> Path:
        """The piece of this element beside the output's own of the same frames."""
        return of_output.with_suffix(f".{self.what}.{'movie' if self.is_movie else 'zip'}")


def elements_of(wish: ElementWish) -> tuple[Element, ...]:
    """What was asked for."""
    asked = (("matte", wish.matte), ("sequence", wish.sequence))
    return tuple(Element(what, kind) for what, kind in asked if kind is not None)


def strength_place(output: Path) -> Path:
    """The table of how strong the edit is, beside a matte."""
    return output.with_suffix(".matte.csv")


def places(output: Path, wish: ElementWish) -> dict[str, Path]:
    """What each element is, and where it lies."""
    found = {element.what: element.place(output) for element in elements_of(wish)}
    if wish.matte is not None:
        found["strength"] = strength_place(output)
    return found
