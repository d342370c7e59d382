"""Faces over time: which detection continues which face, and short gaps filled in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

LINK_GAP_S = 2.0
"""A face that reappears within this time near its old place is the same face."""
BRIDGE_GAP_S = 0.5
"""Gaps up to this, first missing frame to next sighting, are filled in; longer stay untouched."""
_A_MOMENT = 1e-6
MAX_SHIFT = 1.0
"""Farthest a face may have moved between two sightings, in its own widths."""
MAX_SCALE = 1.7
"""Most its width may have changed."""


@dataclass
class _Track:
    rows: list[int]
    box: NDArray[np.float32]
    time_s: float


def link_faces(
    frame: NDArray[np.int64],
    box: NDArray[np.float32],
    times_s: NDArray[np.float64],
    cuts: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Numbers the faces of a video, so that a number is one face within a shot.

    Track 0 is the largest face of *each* shot (area summed over its frames), 1 the next, and so
    on: without face recognition nobody can tell who is who across a cut, but "the main face"
    carries on.

    Args:
        frame: `(M,)` frame number of each detection, ascending.
        box: `(M, 4)` x0, y0, x1, y1.
        times_s: `(N,)` presentation time of every frame.
        cuts: `(N,)` frames that start a new shot.
    Returns:
        `(M,)` track numbers.
    """
    track = np.full(len(frame), -1, np.int64)
    shot = np.cumsum(cuts)[frame]
    for number in np.unique(shot):
        rows = np.flatnonzero(shot == number)
        tracks = _link_shot(rows, frame, box, times_s)
        tracks.sort(key=lambda t: -float(_areas(box[t.rows]).sum()))
        for rank, linked in enumerate(tracks):
            track[linked.rows] = rank
    return track


def _link_shot(
    rows: NDArray[np.intp],
    frame: NDArray[np.int64],
    box: NDArray[np.float32],
    times_s: NDArray[np.float64],
) -> list[_Track]:
    tracks: list[_Track] = []
    borders = np.flatnonzero(np.diff(frame[rows], prepend=-1, append=-1))
    for first, end in pairwise(borders):  # as views one at a time: there may be as many as frames
        here = rows[first:end]
        now = frame[here[0]]
        alive = [t for t in tracks if times_s[now] - t.time_s <= LINK_GAP_S]
        taken: set[int] = set()
        for track, row in _pairs(alive, here, box):
            track.rows.append(row)
            track.box, track.time_s = box[row], float(times_s[now])
            taken.add(row)
        fresh = [int(r) for r in here if int(r) not in taken]
        tracks += [_Track([r], box[r], float(times_s[now])) for r in fresh]
    return tracks


def _pairs(
    tracks: list[_Track], rows: NDArray[np.intp], box: NDArray[np.float32]
) -> list[tuple[_Track, int]]:
    if not tracks or not len(rows):
        return []
    last = np.stack([t.box for t in tracks])
    shift, scale = _shift_and_scale(last, box[rows])
    allowed = (shift <= MAX_SHIFT) & (scale <= MAX_SCALE)
    cost = np.where(allowed, shift + np.log(scale), 1e3)
    if cost.size == 1:  # most footage shows one face; the solver's import alone takes 0.1 s
        pairs = [(0, 0)]
    else:
        pairs = zip(*scipy.optimize.linear_sum_assignment(cost), strict=True)
    return [(tracks[i], int(rows[j])) for i, j in pairs if allowed[i, j]]


def _shift_and_scale(
    a: NDArray[np.float32], b: NDArray[np.float32]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """`(A, B)` centre distance in widths of the larger box, and ratio of widths (≥ 1)."""
    centre_a, centre_b = (a[:, :2] + a[:, 2:]) / 2, (b[:, :2] + b[:, 2:]) / 2
    width_a, width_b = a[:, None, 2] - a[:, None, 0], b[None, :, 2] - b[None, :, 0]
    wider = np.maximum(np.maximum(width_a, width_b), 1e-6)
    apart = np.linalg.norm(centre_a[:, None] - centre_b[None], axis=2)
    return apart / wider, wider / np.maximum(np.minimum(width_a, width_b), 1e-6)


def _areas(box: NDArray[np.float32]) -> NDArray[Any]:
    return (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])


@dataclass(frozen=True)
class Bridge:
    """How a track's rows, gaps filled, come from the seen ones: a weighted mean of two of them.

    What is called a frame here may be any picture of a clip (pipeline/pictures.py).

    Attributes:
        frame: `(F,)` frame numbers, ascending.
        left, right: `(F,)` indices into the track's seen rows.
        weight: `(F,)` float64, share of `right`; 0 on seen frames.
        bridged: `(F,)` bool, not seen.
    """

    frame: NDArray[np.int64]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    weight: NDArray[np.float64]
    bridged: NDArray[np.bool_]

    def part(self, rows: slice) -> Bridge:
        """Some of the filled rows."""
        return Bridge(*(getattr(self, each.name)[rows] for each in fields(self)))

    def fill(self, values: NDArray[Any], seen: NDArray[np.intp]) -> NDArray[Any]:
        """`(M, …)` values, of which rows `seen` `(m,)` are the track's → `(F, …)`, linear over the
        gaps."""
        share = self.weight.reshape(-1, *[1] * (values.ndim - 1)).astype(values.dtype)
        return values[seen[self.left]] * (1 - share) + values[seen[self.right]] * share


def bridge_gaps(
    frame: NDArray[np.int64], times_s: NDArray[np.float64], cuts: NDArray[np.bool_]
) -> Bridge:
    """Fills a track's gaps of up to BRIDGE_GAP_S, never over a cut.

    Args:
        frame: `(m,)` frames in which the track was seen, ascending, m ≥ 1.
        times_s: `(N,)` presentation time of every frame.
        cuts: `(N,)` frames that start a new shot.
    """
    shot = np.cumsum(cuts)
    a, b = frame[:-1], frame[1:]
    small = (times_s[b] - times_s[np.minimum(a + 1, b)] <= BRIDGE_GAP_S + _A_MOMENT) & (
        shot[a] == shot[b]
    )
    inside = [np.arange(a[i] + 1, b[i]) for i in np.flatnonzero(small & (b - a > 1))]
    full = np.sort(np.concatenate([frame, *inside]))
    right = np.searchsorted(frame, full)
    seen = frame[right] == full
    left = np.where(seen, right, right - 1)
    span = times_s[frame[right]] - times_s[frame[left]]
    weight = np.where(seen, 0.0, (times_s[full] - times_s[frame[left]]) / np.where(seen, 1, span))
    return Bridge(full, left, right, weight, ~seen)
