"""Who a row is about, in tables of several videos or several people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keyframes.errors import KeyframeError
from keyframes.formats.rows.columns import Columns

Array = NDArray[np.float64]

_SHOWN = 6
_REACH = 0.75
"""How far a face moves between two rows at most, in its own widths, plus a share per second."""
_REACH_PER_S = 1.0
_REACH_MOST = 1.5


def of_clip(columns: Columns, column: str, wanted: str | None) -> Columns:
    """The rows of the one video a table is about, or of the one that was named.

    Raises:
        KeyframeError: several videos and none named, or no such video; those there are listed.
    """
    return _of_name(columns, column, wanted, "video", "clip")


def of_person(columns: Columns, column: str, wanted: str | None) -> Columns:
    """The same for identities.

    Raises:
        KeyframeError: several people and none named, or no such person; those there are listed.
    """
    return _of_name(columns, column, wanted, "person", "person")


def _of_name(columns: Columns, column: str, wanted: str | None, what: str, option: str) -> Columns:
    words = columns.texts.get(column)
    if words is None:
        if wanted is not None:
            raise KeyframeError(f"{columns.path}: no column of a {what}; leave {option} out")
        return columns
    known = [word for word in dict.fromkeys(words) if word.lower() not in ("", "nan")]
    if wanted is None and len(known) < 2:
        return columns
    if wanted is None:
        raise KeyframeError(
            f"{columns.path}: {len(known)} {_plural(what)} ({_listed(known)}); "
            f"expected one, or say {option}"
        )
    rows = np.array([_is_named(word, wanted) for word in words], bool)
    if not rows.any():
        raise KeyframeError(f"{columns.path}: no {what} {wanted!r}; known: {_listed(known)}")
    return columns.of_rows(rows, f"{what} {wanted}")


def _is_named(word: str, wanted: str) -> bool:
    """Whether a name is meant: as written, or a path by its last part."""
    return wanted in (word, word.replace("\\", "/").rsplit("/", 1)[-1])


def _plural(what: str) -> str:
    return "people" if what == "person" else f"{what}s"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:_SHOWN]) + (", …" if len(words) > _SHOWN else "")


@dataclass
class _Face:
    """The last that was seen of a face while it is followed."""

    box: Array
    time_s: float


def follow_boxes(times_s: Array, boxes: Array) -> NDArray[np.int64]:
    """The face each row belongs to, followed from row to row by where it is.

    A row continues the face whose last box is nearest, if it is within about its own width; two
    rows of one time are two faces. Faces are numbered by their mean width, largest first.

    Args:
        times_s: `(M,)`, not decreasing.
        boxes: `(M, 4)` x, y, width and height; NaN rows belong to no face (−1).
    """
    faces: list[_Face] = []
    owner = np.full(len(times_s), -1, np.int64)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(boxes).all(axis=1))
    starts = np.flatnonzero(np.diff(times_s, prepend=-np.inf) > 0).tolist()
    for first, last in zip(starts, [*starts[1:], len(times_s)], strict=True):
        rows = [row for row in range(first, last) if known[row]]
        pairs = sorted(
            (distance, row, number)
            for row in rows
            for number, face in enumerate(faces)
            if (distance := _distance(face, boxes[row], times_s[row])) < 1
        )
        taken: set[int] = set()
        for _, row, number in pairs:
            if owner[row] < 0 and number not in taken:
                owner[row] = number
                taken.add(number)
        for row in rows:
            if owner[row] < 0:
                owner[row] = len(faces)
                faces.append(_Face(boxes[row], times_s[row]))
            faces[owner[row]] = _Face(boxes[row], times_s[row])
    return _by_size(owner, boxes[:, 2], len(faces))


def _distance(face: _Face, box: Array, time_s: float) -> float:
    """How far a box is from where a face was last; below 1 it may be the same face."""
    width = max(float(face.box[2]), float(box[2]), 1e-9)
    centre = box[:2] + box[2:] / 2 - face.box[:2] - face.box[2:] / 2
    reach = min(_REACH + _REACH_PER_S * (time_s - face.time_s), _REACH_MOST)
    return float(np.hypot(*centre)) / width / reach


def _by_size(owner: NDArray[np.int64], widths: Array, count: int) -> NDArray[np.int64]:
    mean = [float(widths[owner == number].mean()) for number in range(count)]
    rank = np.empty(count + 1, np.int64)
    rank[np.argsort([-width for width in mean], kind="stable")] = np.arange(count)
    rank[count] = -1
    return rank[owner]
