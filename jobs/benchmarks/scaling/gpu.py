"""A GPU of virtual time, which edits the oldest of its segments first, as `MicroBatcher` does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any


class Gpu:
    """A device.

    Attributes:
        free: the share that no actor holds.
        speed: 1 edits a segment in its own seconds.
        spans: from when to when it was busy.
    """

    def __init__(self, clock: Any, speed: float) -> None:
        self.free = 1.0
        self.spans: list[tuple[float, float]] = []
        self._clock, self.speed = clock, speed
        self._segments: deque[tuple[float, Callable[[], None]]] = deque()

    def add(self, seconds: float, then: Callable[[], None]) -> None:
        """Edits a segment that takes so long where the speed is 1."""
        self._segments.append((seconds, then))
        if len(self._segments) == 1:
            self._begin()

    def _begin(self) -> None:
        self._clock.after(self._segments[0][0] / self.speed, partial(self._end, self._clock.now))

    def _end(self, begun: float) -> None:
        _, then = self._segments.popleft()
        if self.spans and self.spans[-1][1] == begun:
            begun = self.spans.pop()[0]
        self.spans.append((begun, self._clock.now))
        if self._segments:
            self._begin()
        then()
