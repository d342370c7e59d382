"""Pairs that curves are full of: what faces the key before and after, and a stretch's two ends."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Sides(NamedTuple, Generic[T]):
    """Something on the left of a key, facing the key before, and on its right."""

    left: T
    right: T


class Ends(NamedTuple, Generic[T]):
    """Something at the first and at the last key."""

    first: T
    last: T
