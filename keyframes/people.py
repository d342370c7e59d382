"""Who a sheet knows by picture."""

from __future__ import annotations

from dataclasses import dataclass

EVERYONE = "all"
"""The word that no person can be called."""


@dataclass(frozen=True)
class Person:
    """Somebody that layers address by name, wherever in the footage they are.

    Attributes:
        name: as layers call them.
        pictures: paths of pictures with that one face, at least one.
        digests: of the pictures' content, hexadecimal, as many.
    """

    name: str
    pictures: tuple[str, ...]
    digests: tuple[str, ...]
