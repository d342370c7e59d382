"""Which interlaced frames show one moment in both their fields (PsF), told by what faces do.

Between a frame's first field and the next frame's, a moving face goes a step. The second field of
true fields has gone half of it, that of a segmented frame none. With u the step and e the way to
the second field, both as pictures, Σeu / Σuu is ½ and 0, however far and fast the face moves: e and
u are differences of one picture at shifts D/2 and D, and ρ(0) − ρ(D) over 2(ρ(0) − ρ(D)) is ½ for
any autocorrelation ρ. Detail between the lines has no part in u, so it does not count.

Measured on six clips woven of progressive pictures, with and without grain of 6 levels: nine in
ten frames of one moment have gone less than .25, half the frames of two more than .48 and one in
ten more than .52 (but for a clip at 60 that repeats pictures, of which some frames show one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.columns import Arrays, Spool, blocks
from pipeline.faces.columns import FACE_COLUMNS
from pipeline.media.read.decoding.reader import Shown
from pipeline.pictures import FIRST, SECOND, WHOLE
from pipeline.settings import Moments

CELLS, LEAST_PX = 64, 4
"""A face is compared in up to 64 × 64 means, each of at least 4 × 4 pixels: lines and grain go."""
AROUND = 0.2
"""Of a box: how far around it is looked."""
MOVES = 8.0
"""Change of a mean, 8-bit levels, that counts as motion."""
MOVING = 12
"""Least means that move, or nothing is said of the frame."""
HALF_WAY = 0.35
"""A second field that has gone further is a moment of its own."""
TRUSTED = 0.9
"""Share of a shot's moving frames that must show one moment: a shot where one frame in five is
woven of two (film in 60 fields) stays fields, in which nothing is combed."""
LEAST_FRAMES = 6
"""Moving frames without which a shot stays fields: there hardly anything tells them apart."""

Box = tuple[int, int, int, int]


@dataclass
class _Seen:
    """A frame's faces in its first field, and in its second once that came."""

    frame: int
    boxes: list[Box]
    first: list[NDArray[np.float32]]
    second: list[NDArray[np.float32]]


class FieldSteps:
    """Sees the pictures of a run of frames in order.

    Attributes:
        steps: frame → how far its second field has gone, in steps to the next frame; frames of
            which nothing can be said are missing.
    """

    def __init__(self) -> None:
        self.steps: dict[int, float] = {}
        self._last: _Seen | None = None

    def see(self, picture: Shown, boxes: Sequence[NDArray[np.float32]]) -> None:
        """The next picture and its faces' boxes."""
        last = self._last
        if picture.field == SECOND:
            if last is not None and last.frame == picture.frame:
                last.second = _means(picture, last.boxes)
            return
        if last is not None and last.second and picture.frame == last.frame + 1:
            self._compare(last, _means(picture, last.boxes))
        self._last = None
        if picture.field == FIRST:
            places = [_around(box, picture.rgb.shape) for box in boxes]
            self._last = _Seen(picture.frame, places, _means(picture, places), [])

    def _compare(self, seen: _Seen, after: list[NDArray[np.float32]]) -> None:
        along = total = 0.0
        moving = 0
        for first, second, there in zip(seen.first, seen.second, after, strict=True):
            step = there - first
            moves = np.abs(step) > MOVES
            moving += int(moves.sum())
            along += float(((second - first) * step)[moves].sum(dtype=np.float64))
            total += float((step * step)[moves].sum(dtype=np.float64))
        if moving >= MOVING:
            self.steps[seen.frame] = along / total


def together(
    moments: Moments | NDArray[np.bool_],
    steps: NDArray[np.float32],
    in_fields: NDArray[np.bool_],
    starts: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """`(N,)` frames whose fields are taken as one picture; of length 0 where none is fields.

    Args:
        moments: what was asked for, or which frames they are.
        steps, starts: as of `of_one_moment`.
        in_fields: `(N,)`, or of length 0.
    """
    if isinstance(moments, np.ndarray):
        return in_fields & moments if len(moments) else np.zeros_like(in_fields)
    if moments == "auto" and len(in_fields):
        return in_fields & of_one_moment(steps, starts)
    return in_fields & (moments == "one")


def of_one_moment(steps: NDArray[np.float32], starts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`(N,)` frames of the shots in which both fields show one moment.

    Args:
        steps: `(N,)` of `FieldSteps`, NaN where nothing is known, or where no field is.
        starts: `(N,)` frames that begin a shot; the frame before one has no step to it.
    """
    known = np.isfinite(steps)
    known[:-1] &= ~starts[1:]
    shot = np.cumsum(starts)
    stays = known & (np.nan_to_num(steps) < HALF_WAY)
    found = np.zeros(len(steps), np.bool_)
    for number in np.unique(shot[known]):
        here = shot == number
        moving = int(known[here].sum())
        found |= here & (moving >= LEAST_FRAMES and stays[here].sum() >= TRUSTED * moving)
    return found


def moments_told(one_moment: NDArray[np.bool_], moments: Moments) -> str:
    """What a report says of `(N,)` frames whose fields were taken together; "" of none."""
    count = int(one_moment.sum())
    why = "as asked" if moments == "one" else "--fields two edits them one by one"
    return f"both fields of {count} frames show one moment: edited as frames; {why}" * (count > 0)


def as_frames(table: Arrays, one_moment: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """The face table with one row for both fields of some frames: what was seen in both, averaged.

    Args:
        table: of FACE_COLUMNS, sorted by track, then picture.
        one_moment: `(N,)` frames whose fields are to be taken together.
    """
    frame, track = table["frame"], table["track"]
    begins = (np.diff(frame, prepend=-1) != 0) | (np.diff(track, prepend=-1) != 0)
    first = np.flatnonzero(begins | ~one_moment[frame])
    last = np.append(first[1:], len(frame)) - 1  # of a frame that stays fields, the row itself
    whole = Spool(FACE_COLUMNS)
    for part in blocks(len(first)):
        one, other = (
            {name: table[name][rows[part]] for name in FACE_COLUMNS} for rows in (first, last)
        )
        whole.add(_averaged(one, other, one_moment[frame[first[part]]]))
    return whole.arrays()


def _averaged(one: Arrays, other: Arrays, alike: NDArray[np.bool_]) -> Arrays:
    """Rows of two pictures of a frame as one; a row that was filled in gives way to one seen."""
    share = np.where(one["bridged"] == other["bridged"], 0.5, other["bridged"].astype(np.float64))
    made = {name: _mean(one[name], other[name], share) for name in one}
    made |= {name: one[name] for name in ("frame", "track")}
    made["bridged"] = one["bridged"] & other["bridged"]
    made["field"] = np.where(alike, WHOLE, one["field"])
    return made


def _mean(one: NDArray[Any], other: NDArray[Any], share: NDArray[np.float64]) -> NDArray[Any]:
    if not np.issubdtype(one.dtype, np.floating):
        return one
    weight = share.reshape(-1, *[1] * (one.ndim - 1))
    mean = np.where(one == other, one, weight * one + (1 - weight) * other)
    return np.where(np.isnan(one), other, np.where(np.isnan(other), one, mean))


def _around(box: NDArray[np.float32], shape: tuple[int, ...]) -> Box:
    low, high = box[:2], box[2:]
    grown = AROUND * (high - low)
    x0, y0 = np.clip(np.floor(low - grown), 0, None).astype(int).tolist()
    x1, y1 = np.ceil(high + grown).astype(int).tolist()
    return x0, y0, min(x1, shape[1]), min(y1, shape[0])


def _means(picture: Shown, boxes: Sequence[Box]) -> list[NDArray[np.float32]]:
    """Luma of each place, as means of its cells; of one outside the picture, none."""
    found: list[NDArray[np.float32]] = []
    for x0, y0, x1, y1 in boxes:
        part = picture.rgb[y0:y1, x0:x1]
        height, width = (min(CELLS, max(0, side) // LEAST_PX) for side in part.shape[:2])
        if not height or not width:
            found.append(np.zeros((0, 0), np.float32))
            continue
        luma = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY).astype(np.float32)
        means = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
        found.append(np.asarray(means, np.float32))
    return found
