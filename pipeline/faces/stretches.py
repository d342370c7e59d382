"""Which frames are linked and calibrated together, found without looking at all of a clip.

A *stretch* is a shot, or a part of one that goes on for minutes: faces are numbered, their rest is
found and their crops start anew in each, so that what is measured in a frame is a matter of its own
stretch alone, whatever else of the clip is analysed, and when. Where one begins depends on frames
near by only: a cut on SETTLED frames to either side, a border within a long take, which lies on a
fixed grid, on BORDER_CLEAR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.cuts import AROUND, FLASH, find_cuts

SETTLED = AROUND + FLASH + 3
"""Frames to either side of a cut that decide it."""
TAKE_FRAMES = 3072
"""Grid of the borders within long takes: two minutes at 25 fps."""
BORDER_CLEAR = 256
"""Frames without a cut to either side of such a border, so that no part is shorter."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Stretches:
    """What is known of a clip's stretches.

    Attributes:
        starts: `(N,)` bool, frames that begin one.
        covered: `(N,)` bool, frames of stretches that are analysed from end to end.
    """

    starts: Flags
    covered: Flags


def whole_stretches(starts: Flags, wanted: Flags) -> Flags:
    """`(N,)` every frame of each stretch that holds a wanted one."""
    number = np.cumsum(starts)
    return np.isin(number, np.unique(number[wanted]))


def all_stretches(signatures: NDArray[np.uint8]) -> Stretches:
    """Of a clip that is known from end to end, by its `(N, S)` thumbnails."""
    starts = _Run(0, len(signatures) - 1, len(signatures), signatures).starts
    return Stretches(starts, np.ones(len(signatures), bool))


def closed_stretches(
    chunks: Sequence[tuple[int, int]], seen: Mapping[int, NDArray[np.uint8]], wanted: Flags
) -> tuple[Stretches, list[int]]:
    """The stretches that are known, and what has yet to be seen to know those of wanted frames.

    Args:
        chunks: first and last frame of each; together all of the clip, in order.
        seen: number of each chunk that is analysed → `(F, S)` thumbnails of its frames.
        wanted: `(N,)`.
    Returns:
        numbers of chunks; without any, all wanted frames are covered.
    """
    starts, covered = np.zeros(len(wanted), bool), np.zeros(len(wanted), bool)
    touched = {n for n, (first, last) in enumerate(chunks) if wanted[first : last + 1].any()}
    missing = touched - seen.keys()
    for numbers in _in_a_row(sorted(seen)):
        first, last = chunks[numbers[0]][0], chunks[numbers[-1]][1]
        run = _Run(first, last, len(wanted), np.concatenate([seen[n] for n in numbers]))
        part = slice(first, last + 1)
        starts[part], covered[part] = run.starts, run.covered()
        low, high = run.lacks(wanted[part] & ~covered[part])
        missing |= {numbers[0] - 1} if low else set()
        missing |= {numbers[-1] + 1} if high else set()
    return Stretches(starts, covered), sorted(missing)


class _Run:
    """Frames first…last, seen without a gap.

    Attributes:
        starts: `(F,)`, those that are known to begin a stretch.
        lacks_low, lacks_high: `(F,)`, what lies before or after the run decides whether they do.
    """

    def __init__(self, first: int, last: int, frames: int, signatures: NDArray[np.uint8]) -> None:
        count = last - first + 1
        at = np.arange(first, last + 1)
        self._ends_clip = last + 1 == frames
        self.lacks_low = (at < first + SETTLED) & (first > 0)
        self.lacks_high = (at > last - SETTLED) & (not self._ends_clip)
        cuts = find_cuts(signatures) & ~self.lacks_low & ~self.lacks_high
        self.starts = cuts.copy()
        for border in range(-first % TAKE_FRAMES, count, TAKE_FRAMES):
            if not 0 < first + border < frames - BORDER_CLEAR:
                continue
            low, high = max(0, border - BORDER_CLEAR), min(count - 1, border + BORDER_CLEAR)
            self.lacks_low[border] |= border < BORDER_CLEAR or bool(self.lacks_low[low])
            self.lacks_high[border] |= high < border + BORDER_CLEAR or bool(self.lacks_high[high])
            is_known = not (self.lacks_low[border] or self.lacks_high[border])
            self.starts[border] |= is_known and not cuts[low : high + 1].any()

    def covered(self) -> Flags:
        """`(F,)` frames of stretches whose both ends are known."""
        covered = np.zeros(len(self.starts), bool)
        ends = [*np.flatnonzero(self.starts).tolist(), *[len(self.starts)] * self._ends_clip]
        for one, end in pairwise(ends):
            covered[one:end] = not (self.lacks_low | self.lacks_high)[one:end].any()
        return covered

    def lacks(self, wanted: Flags) -> tuple[bool, bool]:
        """Whether frames before and after are needed to cover the wanted ones."""
        bounds = [0, *np.flatnonzero(self.starts).tolist(), len(self.starts)]
        low = high = False
        for one, end in pairwise(bounds):
            if wanted[one:end].any():
                low |= bool(self.lacks_low[one:end].any())
                high |= bool(self.lacks_high[one:end].any())
        return low, high


def _in_a_row(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Rising numbers in groups of which each is one more than the one before."""
    row: list[int] = []
    for number in numbers:
        if row and number != row[-1] + 1:
            yield row
            row = []
        row.append(number)
    if row:
        yield row
