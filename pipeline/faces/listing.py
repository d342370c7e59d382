"""Every face of every shot of a clip: where it is seen best, a picture of it, whom it is like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from pipeline.faces.faces import Analysis
from pipeline.faces.recognise import Look, faces_in, looks
from pipeline.faces.sightings import ACCEPT, MARGIN, Appearance, appearances
from pipeline.media.read.inspection import Inspection

PICTURE_SIDES = (2.2, 1.8, 1.45)
"""Sides of a picture in the face's longer ones, tried until nobody else is in it."""
PICTURE_MAX_PX = 640


@dataclass(frozen=True)
class ListedFace:
    """A face of a shot, as the sheet shows it.

    Attributes:
        best_frame: where it is large, frontal and sharp.
        picture: `(S, S, 3)` uint8 RGB around it.
        is_nameable: the picture shows this one face, so that a curve can call it by a name.
        group: faces with the same number are one person, as far as the rule of sightings.py says.
    """

    appearance: Appearance
    best_frame: int
    picture: RGBFrame
    is_nameable: bool
    group: int


class Lineup:
    """Lists the faces of clips, and which of them are one person; embeddings end with it."""

    def __init__(self) -> None:
        self._groups: list[list[NDArray[np.float32]]] = []

    def faces_of(self, inspection: Inspection, analysis: Analysis) -> list[ListedFace]:
        """The faces of one more clip, by shot and number.

        Raises:
            MediaError: a frame that cannot be decoded.
        """
        seen = appearances(analysis)
        best: list[Look | None] = [None] * len(seen)
        worth = [-1.0] * len(seen)
        embeddings: list[list[NDArray[np.float32]]] = [[] for _ in seen]
        for number, look in looks(inspection, analysis, seen):
            embeddings[number].append(look.embedding)
            if (value := _worth(look)) > worth[number]:
                best[number], worth[number] = look, value
        groups: list[int] = []
        listed: list[ListedFace] = []
        for number, (face, look) in enumerate(zip(seen, best, strict=True)):
            if look is None:  # all its frames were filled in
                continue
            beside = {
                group for other, group in zip(seen, groups, strict=False)
                if other.shot == face.shot and other.meets(face, analysis)
            }  # fmt: skip
            groups.append(self._group(np.stack(embeddings[number]), beside))
            picture, is_nameable = _picture(look)
            listed.append(ListedFace(face, look.frame, picture, is_nameable, groups[-1]))
        return listed

    def _group(self, looked: NDArray[np.float32], beside: set[int]) -> int:
        """The group that a face surely belongs to, else a new one."""
        apart = [
            np.inf if number in beside else min(_apart(looked, member) for member in group)
            for number, group in enumerate(self._groups)
        ]
        order = np.argsort(apart)
        nearest = apart[order[0]] if apart else np.inf
        runner_up = apart[order[1]] if len(apart) > 1 else np.inf
        if nearest <= ACCEPT and runner_up - nearest >= MARGIN:
            self._groups[order[0]].append(looked)
            return int(order[0])
        self._groups.append([looked])
        return len(self._groups) - 1


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.median(np.linalg.norm(one[:, None] - other[None], axis=2)))


def _worth(look: Look) -> float:
    """Size × sharpness of a look at a face: the mean gradient over its box, in pixels of it."""
    x0, y0, x1, y1 = _within(look.box, look.picture.shape)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return 0.0
    grey = cv2.cvtColor(look.picture[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean() * np.sqrt((x1 - x0) * (y1 - y0)))


def _within(box: NDArray[np.floating], shape: Sequence[int]) -> tuple[int, int, int, int]:
    x0, y0 = np.maximum(np.floor(box[:2]), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(box[2:]), [shape[1], shape[0]]).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _picture(look: Look) -> tuple[RGBFrame, bool]:
    """A square around the face, as large as nobody else is in it; and whether nobody is."""
    picture = look.picture
    for side in PICTURE_SIDES:
        picture = _square(look, side)
        if len(faces_in(picture)) == 1:
            return picture, True
    return picture, False


def _square(look: Look, sides: float) -> RGBFrame:
    centre, extent = (look.box[:2] + look.box[2:]) / 2, look.box[2:] - look.box[:2]
    half = float(extent.max()) * sides / 2
    around = np.array([*(centre - half), *(centre + half)])
    x0, y0, x1, y1 = _within(around, look.picture.shape)
    part = look.picture[y0:y1, x0:x1]
    scale = PICTURE_MAX_PX / max(part.shape[:2])
    if scale < 1:
        size = round(part.shape[1] * scale), round(part.shape[0] * scale)
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(part, np.uint8)
