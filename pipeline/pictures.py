"""The pictures of a clip: its whole frames, and both fields of frames that are fields, one by one.

A picture is named by its frame and `field`. The first field of a frame is shown at the frame's
time, the second half a frame later: motion, curves and edits are theirs, not the frame's. Where
nothing is interlaced, pictures are frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

WHOLE, FIRST, SECOND = 0, 1, 2
"""What a picture is of its frame; FIRST and SECOND as shown, whichever line is on top."""
ALONE_S = 0.04
"""Length of the frame of a clip that has no other."""


def times_of(
    times_s: NDArray[np.float64], frame: NDArray[np.int64], field: NDArray[np.integer]
) -> NDArray[np.float64]:
    """`(m,)` seconds at which pictures are shown.

    Args:
        times_s: `(N,)` of every frame.
        frame, field: `(m,)`.
    """
    steps = np.diff(times_s)
    usual = float(np.median(steps)) if len(steps) else ALONE_S
    half = np.minimum(np.append(steps, usual), usual) / 2  # fields do not wait for a late frame
    return times_s[frame] + np.where(field == SECOND, half[frame], 0.0)


@dataclass(frozen=True)
class Pictures:
    """All pictures of a clip in the order they are shown; they are numbered without a gap.

    Attributes:
        frame: `(P,)` int64; field: `(P,)` int8; times_s: `(P,)` float64.
    """

    frame: NDArray[np.int64]
    field: NDArray[np.int8]
    times_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def first(self) -> NDArray[np.intp]:
        """`(N,)` number of each frame's first picture."""
        return np.flatnonzero(self.field != SECOND)

    def number(self, frame: NDArray[np.int64], field: NDArray[np.integer]) -> NDArray[np.int64]:
        """`(m,)` numbers of pictures that are here."""
        return self.first[frame] + (field == SECOND)

    def starts(self, cut: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """`(P,)`: pictures that begin a shot, of `(N,)` frames that do."""
        return cut[self.frame] & (self.field != SECOND)


def pictures_of(times_s: NDArray[np.float64], in_fields: NDArray[np.bool_]) -> Pictures:
    """The pictures of a clip.

    Args:
        times_s: `(N,)` of every frame.
        in_fields: `(N,)` frames that are fields; of length 0 where none is.
    """
    frame = np.arange(len(times_s))
    if not in_fields.any():
        return Pictures(frame, np.zeros(len(frame), np.int8), times_s)
    frame = np.repeat(frame, np.where(in_fields, 2, 1))
    second = np.diff(frame, prepend=-1) == 0
    field = np.where(second, SECOND, np.where(in_fields[frame], FIRST, WHOLE)).astype(np.int8)
    return Pictures(frame, field, times_of(times_s, frame, field))
