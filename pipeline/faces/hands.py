"""Hands at faces, looked for only where something has come in beside the face.

A look costs 11 ms, half of what else a frame costs. So each face keeps a picture of six by six
means of itself and its surroundings; a look is due where that has changed, while a hand is there,
and every RELOOK frames for what was there from the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.hands.finder import HANDS_MAX, POINTS, HandFinder
from engines.interface import Face, RGBFrame
from engines.trackers.mesh.sampling import Region

SIDES = 2.2
"""Side of the square that is watched, in the face's longer ones."""
CELLS = 6
AROUND, WITHIN = 20.0, 35.0
"""Change of a cell's mean that calls for a look, 8-bit levels: beside the face, and in it, where
a mouth that opens changes by 15 and more."""
RELOOK, LEAST = 96, 4
"""Most frames between two looks, and least while nothing is found."""

_INNER = np.zeros((CELLS, CELLS), bool)
_INNER[1:-1, 1:-1] = True
_LIMIT = np.where(_INNER, WITHIN, AROUND)


@dataclass
class _Watched:
    """A face as it was when it was last looked at."""

    box: NDArray[np.float32]
    means: NDArray[np.float32]
    age: int = 0
    has_hand: bool = False
    skipped: list[tuple[NDArray[np.float32], RGBFrame, Face]] = field(
        default_factory=list[tuple[NDArray[np.float32], RGBFrame, Face]]
    )


class HandWatch:
    """Follows the faces of a run of frames; one for each run."""

    def __init__(self) -> None:
        self._finder: HandFinder | None = None
        self._watched: list[_Watched] = []
        self.looks = 0

    def see(self, picture: RGBFrame, faces: Sequence[Face]) -> list[NDArray[np.float32]]:
        """Per face `(2, 21, 2)` float32 points of the hands at it, frame pixels; NaN where none.

        An answer may be filled in later, when the next frames show that a hand was coming.
        """
        answers: list[NDArray[np.float32]] = []
        watched: list[_Watched] = []
        for face in faces:
            answer = no_hands()
            watched.append(self._face(picture, face, answer))
            answers.append(answer)
        self._watched = watched
        return answers

    def _face(self, picture: RGBFrame, face: Face, answer: NDArray[np.float32]) -> _Watched:
        means = _means(picture, face)
        known = self._known(face)
        if known is None:
            known = _Watched(face.box, means, age=RELOOK)
        known.box, known.age = face.box, known.age + 1
        has_changed = bool((np.abs(means - known.means) > _LIMIT).any())
        if not (known.has_hand or known.age > RELOOK or (has_changed and known.age >= LEAST)):
            known.skipped = [*known.skipped, (answer, picture, face)][1 - LEAST :]
            return known
        known.has_hand = self._look(answer, picture, face)
        if known.has_hand and has_changed:
            for before, earlier, there in reversed(known.skipped):
                if not self._look(before, earlier, there):
                    break
        return _Watched(face.box, means, has_hand=known.has_hand)

    def _known(self, face: Face) -> _Watched | None:
        centre = (face.box[:2] + face.box[2:]) / 2
        side = float((face.box[2:] - face.box[:2]).max())
        for watched in self._watched:
            there = (watched.box[:2] + watched.box[2:]) / 2
            if np.linalg.norm(there - centre) < side / 2:
                return watched
        return None

    def _look(self, answer: NDArray[np.float32], picture: RGBFrame, face: Face) -> bool:
        """Fills in an answer; whether there is a hand."""
        self._finder = self._finder or HandFinder()
        self.looks += 1
        found = self._finder.find(picture, _square(face))
        answer[: len(found)] = found
        return bool(len(found))


def no_hands() -> NDArray[np.float32]:
    """`(2, 21, 2)` of NaN."""
    return np.full((HANDS_MAX, POINTS, 2), np.nan, np.float32)


def _square(face: Face) -> Region:
    (x, y), side = (face.box[:2] + face.box[2:]) / 2, (face.box[2:] - face.box[:2]).max()
    return Region(float(x), float(y), SIDES * float(side), SIDES * float(side))


def _means(picture: RGBFrame, face: Face) -> NDArray[np.float32]:
    """`(6, 6)` float32 mean luma of the watched square's cells, its overall light taken out."""
    square = _square(face)
    low = np.array([square.cx, square.cy]) - square.width / 2
    x0, y0 = np.maximum(np.floor(low), 0).astype(int)
    x1, y1 = np.ceil(low + square.width).astype(int)
    part = picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    if part.shape[0] < CELLS or part.shape[1] < CELLS:
        return np.zeros((CELLS, CELLS), np.float32)
    step = max(1, min(part.shape[:2]) // (8 * CELLS))
    sparse = cv2.cvtColor(np.ascontiguousarray(part[::step, ::step]), cv2.COLOR_RGB2GRAY)
    means = cv2.resize(sparse, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float32)
    return means - np.float32(np.median(means))
