"""What a layer may be made of gives values over time for some action units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AUCode
from keyframes.clock.instant import Instant
from keyframes.clock.spans import Spans
from keyframes.clock.timeline import Timeline

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """One AU of a source at `(N,)` times.

    Attributes:
        au: its number, or one eye's code.
        values: `(N,)` in the unit of the mode.
        presence: `(N,)` 0…1, how far the source speaks at all; None for fully.
        mode: the channel's own mode; None for its layer's.
    """

    au: AUCode
    values: Array
    presence: Array | None = None
    mode: str | None = None


RESTS: Mapping[str, float] = {"delta": 0.0, "scale": 1.0, "neutralise": 0.0}
"""The value at which a mode asks for nothing; `absolute` has none."""


class Source(Protocol):
    """Gives values over time for some AUs."""

    def samples(self, timeline: Timeline, times_s: Array) -> Iterator[Sample]:
        """The source's AUs at `(N,)` seconds, one at a time.

        Raises:
            KeyframeError: it does not fit this clip, with the place.
        """
        ...

    def reach(self, timeline: Timeline, mode: str) -> Spans:
        """When it may ask for anything, known before any face is measured; never too little.

        Args:
            mode: of its layer.
        Raises:
            KeyframeError: as `samples`.
        """
        ...

    def warnings(self, timeline: Timeline) -> list[str]:
        """What a person should know about it on this clip."""
        ...

    def instants(self) -> Iterator[Instant]:
        """The points in time it is written in."""
        ...

    def last_key_s(self, timeline: Timeline) -> float:
        """When the source has said all it has to say."""
        ...

    def resolved(self) -> dict[str, Any]:
        """The source in plain values, as the report shows it."""
        ...
