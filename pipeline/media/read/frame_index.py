"""Which frames a clip shows, and when; of all of it, or of a part."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo

KEYS_BEFORE = 8
"""Key frames before a part that are known: its first frames may need one of them."""


@dataclass(frozen=True)
class Cut:
    """How a part lies in its clip.

    Attributes:
        before: frames of the clip before it.
        origin: pts of the clip's first frame.
        end: pts at which the next frame is shown, or the last one has been.
        keys: pts of the last key frames before it, rising.
    """

    before: int
    origin: int
    end: int
    keys: tuple[int, ...]


@dataclass(frozen=True)
class FrameIndex:
    """Every frame a player shows, in the order it shows them.

    Attributes:
        pts: `(N,)` int64, time_base units, strictly increasing.
        is_key: `(N,)` bool, the packet is flagged as one decoding can start at.
        duration: `(N,)` int64, time_base units, as the packets declare; 0 where they don't.
        notes: what a report should tell of frames that are not here, one line each.
        size: `(N,)` int64, bytes of each frame's packet; of length 0 where nobody counted.
        coded: `(N,)` int64, each frame's place in the order of the file; of length 0 likewise.
        group: `(N,)` int64, rising: frames that decode without any other, by number; −1 where no
            such group was found or a part of it is not shown; of length 0 likewise.
        cut: of a part of a clip, how it lies in it; its times are the clip's.
    """

    pts: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    duration: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    size: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    coded: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    group: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    cut: Cut | None = None

    def __post_init__(self) -> None:
        if not (self.pts.ndim == 1 and self.pts.shape == self.is_key.shape == self.duration.shape):
            raise MediaError(
                f"frame index: got {self.pts.shape}, {self.is_key.shape}, {self.duration.shape}; "
                "expected three arrays of one length"
            )

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def moved(self) -> int:
        """Ticks that are added to the times of a part in a file of its own: it begins there when
        its clip does."""
        return self.cut.origin - int(self.pts[0]) if self.cut else 0

    def part(self, first: int, last: int) -> FrameIndex:
        """Frames `first`…`last` (inclusive) alone; groups that are not whole in it are none."""
        kept = slice(first, last + 1)
        keys = np.flatnonzero(self.is_key[:first])[-KEYS_BEFORE:]
        group = self.group[kept].copy()
        outside = np.concatenate([self.group[:first], self.group[last + 1 :]])
        group[np.isin(group, outside)] = -1
        end = self.pts[last + 1] if last + 1 < len(self) else self.pts[last] + self.duration[last]
        return replace(
            self,
            pts=self.pts[kept],
            is_key=self.is_key[kept],
            duration=self.duration[kept],
            size=self.size[kept],
            coded=np.argsort(np.argsort(self.coded[kept])),
            group=group,
            cut=Cut(first, int(self.pts[0]), int(end), tuple(self.pts[keys].tolist())),
        )

    def of_its_own(self) -> FrameIndex:
        """A part as it is in a file of its own."""
        return replace(self, pts=self.pts + self.moved, cut=None)


def times_s(info: VideoInfo, index: FrameIndex) -> NDArray[np.float64]:
    """`(N,)` float64: when each frame is shown, seconds on the clock a player shows."""
    base = info.time_base
    return index.pts * base.numerator / base.denominator - info.clock_start_s
