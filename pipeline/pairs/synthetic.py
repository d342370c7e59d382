"""Pairs whose AU change is known because it was made: warped frames, and drawn people.

A warped target is the source's own frame moved by the rig: the delta is what was asked of the
rig, pose and background are the source's, and what a warp cannot show is not in it (teeth,
wrinkles).
Drawn people are pipeline/heads: an intensity of 3 in them is 3, whatever an estimator says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.magicface.conditioning.background import Conditioner
from engines.editors.rig.draw import draw_edit
from engines.editors.rig.face import moved_landmarks
from keyframes.au import AU_ORDER, INTENSITY_MAX
from pipeline import affine
from pipeline.faces.align import display_from_squares, face_squares
from pipeline.heads.landmarks import true_landmarks
from pipeline.heads.people import Person, person
from pipeline.heads.render import View, render_person
from pipeline.pairs.pictures import CropSettings, Seen, pictured, seen

MOST = 8.0
"""Largest made change of an AU: as far as a user's curve goes, and further than faces do."""
AUS_CHANGED = (1, 3)
"""Fewest and most AUs that change in one pair."""
SHOWN = (-4.0, 8.0)
"""Intensities that a drawn target has; below 0 units move backwards."""
_DRAWN_SHARE = 1.5
"""Side of a drawn picture in crops: the face is to fill its crop without being enlarged."""


def made_change(random: np.random.Generator) -> NDArray[np.float32]:
    """`(12,)`: one to three AUs by up to ±8."""
    change = np.zeros(len(AU_ORDER), np.float32)
    count = int(random.integers(AUS_CHANGED[0], AUS_CHANGED[1] + 1))
    units = random.choice(len(AU_ORDER), count, replace=False)
    change[units] = random.uniform(-MOST, MOST, count)
    return change


def warped(
    face: Seen,
    pose: NDArray[np.float32],
    change: NDArray[np.float32],
    crops: CropSettings,
    conditioner: Conditioner,
) -> Seen:
    """A face moved by the rig, with its landmarks where the rig took them.

    Args:
        pose: `(3,)` degrees; change: `(12,)` AU deltas.
    Raises:
        EngineError: landmarks that no face can have.
    """
    edited, mask = face.large.copy(), np.zeros(face.large.shape[:2], np.float32)
    draw_edit(face.large, face.large_px, pose, change, edited, mask)
    points = moved_landmarks(face.large_px, pose, change, len(face.large))
    return seen(edited, points, crops, conditioner)


@dataclass(frozen=True)
class _Asked:
    """A drawn pair: intensities and cameras."""

    source: NDArray[np.float32]
    target: NDArray[np.float32]
    source_view: View
    target_view: View


def drawn_rows(number: int, count: int, crops: CropSettings, seed: int) -> list[dict[str, Any]]:
    """Rows of a drawn person, all columns but those that a folder gives.

    Args:
        number: of the person (pipeline/heads/people.py).
    """
    conditioner, one = Conditioner(crops.mask), person(number)
    random = np.random.default_rng([seed, 7, number])
    return [
        _drawn_row(one, asked, at, crops, conditioner)
        for at, asked in enumerate(_asked(random, count, crops))
    ]


def _asked(random: np.random.Generator, count: int, crops: CropSettings) -> Iterator[_Asked]:
    """Every second pair also turns the head, as pairs of footage do."""
    for number in range(count):
        shown = random.random(len(AU_ORDER)) < 0.3
        source = np.where(shown, random.uniform(0, 0.8 * INTENSITY_MAX, len(AU_ORDER)), 0.0)
        target = np.clip(source + made_change(random), SHOWN[0], SHOWN[1])
        first, second = _view(random, crops), _view(random, crops)
        second = second if number % 2 else first
        yield _Asked(source.astype(np.float32), target.astype(np.float32), first, second)


def _view(random: np.random.Generator, crops: CropSettings) -> View:
    yaw, pitch, roll = random.uniform((-20, -10, -8), (20, 10, 8))
    side = round(_DRAWN_SHARE * crops.cut_size)
    return View(size=side, yaw=yaw, pitch=pitch, roll=roll, zoom=random.uniform(1.3, 1.6))


def _drawn_row(
    one: Person, asked: _Asked, number: int, crops: CropSettings, conditioner: Conditioner
) -> dict[str, Any]:
    first, second = asked.source_view, asked.target_view
    points = [
        true_landmarks(one, intensity, view)
        for intensity, view in ((asked.source, first), (asked.target, second))
    ]
    squares = [face_squares(own[None]) for own in (points if first != second else points[:1] * 2)]
    faces = [
        _cut(render_person(one, intensity, view), own, square, crops, conditioner)
        for intensity, view, own, square in (
            (asked.source, first, points[0], squares[0]),
            (asked.target, second, points[1], squares[1]),
        )
    ]
    turned = (first.yaw - second.yaw, first.pitch - second.pitch, first.roll - second.roll)
    return {
        "kind": "drawn",
        "track": 0,
        "source_frame": 2 * number,
        "target_frame": 2 * number + 1,
        "distance_s": 0.0,
        "pose_change": float(np.abs(turned).max()),
        **pictured(faces[0], faces[1], crops.dots),
        "source_au": asked.source,
        "target_au": asked.target,
        "au": asked.target - asked.source,
    }


def _cut(
    picture: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    square: NDArray[np.float64],
    crops: CropSettings,
    conditioner: Conditioner,
) -> Seen:
    """Where the head stays, both pictures of a pair are cut by one square, as an edit's are."""
    side = (crops.cut_size, crops.cut_size)
    crop_from_picture = affine.inverse(display_from_squares(square, side[0])[0])
    image = cv2.warpAffine(picture, crop_from_picture, side, borderMode=cv2.BORDER_REPLICATE)
    points = affine.apply(crop_from_picture, landmarks).astype(np.float32)
    return seen(np.asarray(image, np.uint8), points, crops, conditioner)
