"""Patches of donors' crops: around mouths, around eyes; as a library keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline import affine

if TYPE_CHECKING:
    from pipeline.edit.lending.track import Donor

MOUTH_SHARE = 0.375
"""Side of what is kept around a donor's mouth, in crops' sides."""
EYES_SHARE = 1.8
"""Side of what is kept around a donor's eyes, in distances of their outer corners."""


@dataclass(frozen=True)
class Place:
    """A square of a donor's crop.

    Attributes:
        corner_px: `(2,)` float64, its upper left pixel in the crop.
        side: pixels.
    """

    donor: Donor
    corner_px: NDArray[np.float64]
    side: int

    @property
    def display_from_patch(self) -> NDArray[np.float64]:
        shift = np.column_stack([np.eye(2), self.corner_px])
        return affine.compose(self.donor.display_from_crop, shift)


def mouth_place(donor: Donor) -> Place:
    """The square around a mouth."""
    side = round(donor.size * MOUTH_SHARE)
    middle = donor.landmarks_px[48:68].mean(axis=0)
    return Place(donor, np.rint(middle - side / 2).astype(np.float64), side)


def eyes_place(donor: Donor) -> Place:
    """The square around both eyes and brows."""
    eyes = donor.landmarks_px[[36, 45]]
    side = round(EYES_SHARE * float(np.linalg.norm(eyes[1] - eyes[0])))
    return Place(donor, np.rint(eyes.mean(axis=0) - side / 2).astype(np.float64), side)


@dataclass(frozen=True)
class Cut:
    """One patch; as in Patches without the first axis."""

    frame: int
    image: NDArray[Any]
    landmarks_px: NDArray[np.float32]
    corner_px: NDArray[np.float64]
    pose: NDArray[np.float32]
    eyes_open: NDArray[np.float32]


@dataclass(frozen=True)
class Patches:
    """Patches of donors.

    Attributes:
        track, frame: `(D,)` int64.
        landmarks_px: `(D, 68, 2)` float32, patch pixels.
        corner_px: `(D, 2)` float64, upper left of each patch in its donor's crop.
        pose: `(D, 3)` float32, degrees.
        eyes_open: `(D, 2)` float32.
        images: `(P, P, 3)` uint8 or uint16 of each.
    """

    track: NDArray[np.int64]
    frame: NDArray[np.int64]
    landmarks_px: NDArray[np.float32]
    corner_px: NDArray[np.float64]
    pose: NDArray[np.float32]
    eyes_open: NDArray[np.float32]
    images: tuple[NDArray[Any], ...]

    @classmethod
    def of_places(cls, places: Sequence[Place], images: Sequence[NDArray[Any]]) -> Patches:
        """The squares with what they show."""
        donors = [place.donor for place in places]
        at = [place.donor.landmarks_px - place.corner_px for place in places]
        return cls(
            np.array([donor.track for donor in donors], np.int64),
            np.array([donor.frame for donor in donors], np.int64),
            np.array(at, np.float32).reshape(-1, 68, 2),
            np.array([place.corner_px for place in places], np.float64).reshape(-1, 2),
            np.array([donor.pose for donor in donors], np.float32).reshape(-1, 3),
            np.array([donor.eyes_open for donor in donors], np.float32).reshape(-1, 2),
            tuple(images),
        )

    def of(self, track: int, frame: int) -> Cut | None:
        """The patch of one face in one frame."""
        for number in np.flatnonzero((self.track == track) & (self.frame == frame))[:1].tolist():
            return Cut(
                frame,
                self.images[number],
                self.landmarks_px[number],
                self.corner_px[number],
                self.pose[number],
                self.eyes_open[number],
            )
        return None

    def stored(self) -> dict[str, NDArray[Any]]:
        """As arrays by name."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return arrays | {f"image-{number}": image for number, image in enumerate(self.images)}

    @classmethod
    def from_stored(cls, stored: dict[str, NDArray[Any]]) -> Patches:
        """What `stored` gave."""
        images = tuple(stored[f"image-{number}"] for number in range(len(stored["frame"])))
        return cls(**{name: stored[name] for name in _ARRAYS}, images=images)


_ARRAYS = tuple(part.name for part in fields(Patches) if part.name != "images")
