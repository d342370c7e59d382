"""Where a clip is cut for parallel work: near source key frames, in lengths that suit the cluster.

What a frame looks like never depends on the cuts; where the encoder's key frames are, does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK_FRAMES = 128
"""Frames per analysis task; chunk borders do no harm, linking runs over the whole video."""
SEGMENT_FRAMES = 256
"""Most frames per encoded piece (each pays decoder pre-roll and one extra key frame)."""
SEGMENT_SECONDS = 45.0
"""Time of a piece at most: long against Ray's 5.5 ms per task, short against a lost worker."""
LEAST_FRAMES = 12
"""Edited frames of the shortest piece that is cut for want of work: key frames take room."""
LEAST_SECONDS = 1.0
"""Time of such a piece: a row takes 0.3 s to come and go."""
FRAME_SECONDS = 0.02
"""Of a frame beside its edit: decoded, pasted, encoded."""


@dataclass(frozen=True)
class Span:
    """Frames first…last (numbers in presentation order, inclusive) of one clip.

    Attributes:
        copied: they come from the source by packet and are not rendered.
    """

    number: int
    first: int
    last: int
    copied: bool = False

    @property
    def frames(self) -> int:
        return self.last - self.first + 1

    def mask(self, frames: int) -> NDArray[np.bool_]:
        """`(N,)` which of a clip's frames are in it."""
        number = np.arange(frames)
        return (number >= self.first) & (number <= self.last)


def plan_spans(is_key: NDArray[np.bool_], cost: NDArray[np.float64], limit: float) -> list[Span]:
    """Cuts a clip into spans of about equal cost, none above `limit` by more than the snapping.

    A cut moves to the nearest key frame when one lies within a quarter of the span: decoding then
    starts right there. Elsewhere decoding pre-rolls from the key frame before (1–2 ms per frame).

    Args:
        is_key: `(N,)`, N ≥ 1, frames at which decoding can start.
        cost: `(N,)` positive, in any unit.
        limit: cost a span should not exceed, in the same unit.
    Returns:
        Spans that cover every frame once, in order.
    """
    total = np.cumsum(cost)
    count = max(1, int(np.ceil(total[-1] / limit - 1e-9)))
    even = np.searchsorted(total, total[-1] * np.arange(1, count) / count, side="right")
    keys = np.flatnonzero(is_key)
    reach = len(cost) / count / 4
    starts = sorted({0} | {_snap(int(cut), keys, reach) for cut in even} - {len(cost)})
    ends = [*(s - 1 for s in starts[1:]), len(cost) - 1]
    return [Span(n, a, b) for n, (a, b) in enumerate(zip(starts, ends, strict=True))]


def _snap(cut: int, keys: NDArray[np.int64], reach: float) -> int:
    if not len(keys):
        return cut
    nearest = int(keys[np.argmin(np.abs(keys - cut))])
    return nearest if abs(nearest - cut) <= reach else cut


def plan_chunks(is_key: NDArray[np.bool_]) -> list[Span]:
    """Spans for the analysis: even, about CHUNK_FRAMES each."""
    return plan_spans(is_key, np.ones(len(is_key)), CHUNK_FRAMES)


@dataclass(frozen=True)
class Hands:
    """What of a cluster a clip may have to itself, while few others want it.

    Attributes:
        workers: that render: actors on GPUs, or cores.
        calls: segments at once in each, where they are long enough for that.
    """

    workers: int = 1
    calls: int = 1


ONE = Hands()
"""Just as many pieces as their greatest lengths ask for."""


def hands_for(there: Hands, after: int) -> Hands:
    """What a clip may have of all that are there, where so many clips are begun after it.

    Where many follow, they fill the cluster; the last one has it to itself. Those that follow are
    taken to wait twice over, so that few clips have pieces enough to share out. It depends on the
    call alone, not on what is done of it: a run that goes on cuts as the one before it.
    """
    workers = -(-there.workers // (after + 1))
    calls = min(there.calls, -(-2 * there.workers * there.calls // ((after + 1) * workers)))
    return Hands(workers, calls)


def plan_segments(
    is_key: NDArray[np.bool_],
    active: NDArray[np.bool_],
    seconds_per_edit: float,
    copied: NDArray[np.bool_] | None = None,
    hands: Hands = ONE,
) -> list[Span]:
    """Spans for rendering: one for each hand, at most about SEGMENT_FRAMES and SEGMENT_SECONDS.

    Args:
        active: `(N,)` frames that enter the editor.
        seconds_per_edit: what one edited frame costs the editor, roughly.
        copied: `(N,)` frames that come from the source by packet; each run is a span of its own.
    """
    copied = np.zeros(len(active), bool) if copied is None else copied
    seconds = FRAME_SECONDS + active * seconds_per_edit
    length = _piece_seconds(float(seconds[~copied].sum()), seconds_per_edit, hands)
    cost = np.maximum(1.0 / SEGMENT_FRAMES, seconds / length).astype(np.float64)
    spans: list[Span] = []
    for first, last, is_copied in _runs(copied):
        if is_copied:
            spans.append(Span(len(spans), first, last, copied=True))
            continue
        run = slice(first, last + 1)
        for span in plan_spans(is_key[run], cost[run], 1.0):
            spans.append(Span(len(spans), first + span.first, first + span.last))
    return spans


def _piece_seconds(total: float, seconds_per_edit: float, hands: Hands) -> float:
    """How long a piece may take, where the clip takes `total`: as many calls as are worth it."""
    least = max(LEAST_SECONDS, LEAST_FRAMES * (FRAME_SECONDS + seconds_per_edit))
    each = [total / (hands.workers * calls) for calls in range(hands.calls, 0, -1)]
    worth = next((length for length in each if length >= least), least)
    return min(SEGMENT_SECONDS, worth)


def untouched_groups(
    group: NDArray[np.int64], active: NDArray[np.bool_], least: int = 1
) -> NDArray[np.bool_]:
    """`(N,)` frames of groups of pictures that no edit enters.

    Args:
        group: `(N,)` number of each frame's closed group, −1 for none; of length 0 for none at all.
        active: `(N,)` frames that enter the editor.
        least: frames of the shortest run that is worth a cut.
    """
    if not len(group):
        return np.zeros(len(active), bool)
    untouched = (group >= 0) & ~np.isin(group, group[active])
    for first, last, _ in _runs(untouched):
        if last - first + 1 < least:
            untouched[first : last + 1] = False
    return untouched


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int, bool]]:
    """First and last of each run of equal flags, and the flag."""
    cuts = (np.flatnonzero(np.diff(flags.astype(np.int8))) + 1).tolist()
    bounds = zip([0, *cuts], [*cuts, len(flags)], strict=True)
    return [(a, b - 1, bool(flags[a])) for a, b in bounds]
