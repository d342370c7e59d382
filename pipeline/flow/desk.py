"""Where rows of a pool (pool.py) wait: apart, for the desk's process has no use for Ray Data."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from itertools import count
from typing import Any

import ray


class Desk:
    """Actor: rows by number, in the order they were put, each kept until it has come out.

    So a source task that dies and is run again gives the same rows again, as Ray expects of it.
    """

    def __init__(self) -> None:
        self._rows: dict[int, Any] = {}
        self._count = 0
        self._closed = False
        self._changed = asyncio.Condition()

    async def put(self, row: Any, done: list[int]) -> None:
        async with self._changed:
            self._rows[self._count] = row
            self._count += 1
            for number in done:
                del self._rows[number]
            self._changed.notify_all()

    async def close(self) -> None:
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def row(self, number: int) -> Any:
        """The row of that number, once it is there; one of nothing for a row that has come out."""
        async with self._changed:
            await self._changed.wait_for(lambda: number < self._count or self._closed)
            return self._rows.get(number, {}) if number < self._count else None


def from_desk(_: Any, desk: Any) -> Generator[Any]:
    """Task: the rows on the desk, until it is closed."""
    for number in count():
        row = ray.get(desk.row.remote(number))
        if row is None:
            return
        yield row
