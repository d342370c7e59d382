"""What a shot lends, as one file of a job: decoded once, before rendering; segments only read it.

Bytes cannot depend on where a clip is cut, for every segment sees the same file.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.interface import LentMouth
from pipeline import affine
from pipeline.edit.lending import Donor, plan_lending
from pipeline.edit.plan import EditPlan
from pipeline.edit.shown import shown
from pipeline.faces.faces import Analysis
from pipeline.files import published
from pipeline.media.colour import crop_rgb
from pipeline.media.read.decode import decode_range
from pipeline.media.read.inspection import Inspection

PATCH_SHARE = 0.375
"""Side of what is kept around a donor's mouth, in crops' sides."""


@dataclass(frozen=True)
class Library:
    """The mouths of a job's donors.

    Attributes:
        track, frame: `(D,)` int64.
        images: `(P, P, 3)` uint8 or uint16 of each.
        landmarks_px: `(D, 68, 2)` float32, patch pixels.
        corner_px: `(D, 2)` float64, upper left of each patch in its donor's crop.
    """

    track: NDArray[np.int64]
    frame: NDArray[np.int64]
    images: tuple[NDArray[Any], ...]
    landmarks_px: NDArray[np.float32]
    corner_px: NDArray[np.float64]

    def mouth(self, plan: EditPlan, row: int) -> LentMouth | None:
        """What is lent to one edit of a plan, or None."""
        found = (self.frame == plan.donor[row]) & (self.track == plan.track[row])
        if not found.any():
            return None
        number = int(np.argmax(found))
        return LentMouth(
            int(plan.donor[row]),
            self.images[number],
            self.landmarks_px[number],
            affine.compose(plan.crop_from_donor[row], _shift(self.corner_px[number])),
            float(plan.lent[row]),
        )


def borrowed(
    plan: EditPlan,
    faces: Analysis,
    inspection: Inspection,
    crop_size: int,
    library: Path,
    *,
    any_size: bool = False,
) -> EditPlan:
    """The plan with what each edit is lent; the donors' mouths lie at `library` then."""
    lending, donors = plan_lending(plan, faces, inspection.times_s, crop_size, any_size=any_size)
    write_library(library, make_library(inspection, donors))
    return lending


def make_library(inspection: Inspection, donors: tuple[Donor, ...]) -> Library:
    """Decodes the donors' frames, and cuts their mouths out.

    Raises:
        MediaError: a frame that cannot be decoded.
    """
    corners = [_corner(donor) for donor in donors]
    pairs = list(zip(donors, corners, strict=True))
    images = tuple(_patch(inspection, donor, corner) for donor, corner in pairs)
    landmarks = [donor.landmarks_px - corner for donor, corner in pairs]
    return Library(
        np.array([donor.track for donor in donors], np.int64),
        np.array([donor.frame for donor in donors], np.int64),
        images,
        np.array(landmarks, np.float32).reshape(-1, 68, 2),
        np.array(corners, np.float64).reshape(-1, 2),
    )


def _side(donor: Donor) -> int:
    return round(donor.size * PATCH_SHARE)


def _corner(donor: Donor) -> NDArray[np.float64]:
    """Upper left of the patch, crop pixels."""
    side = _side(donor)
    return np.rint(donor.landmarks_px[48:68].mean(axis=0) - side / 2).astype(np.float64)


def _shift(corner: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.eye(2), corner])


def _patch(inspection: Inspection, donor: Donor, corner: NDArray[np.float64]) -> NDArray[Any]:
    info = inspection.info
    frames = decode_range(info.path, info, inspection.index, donor.frame, donor.frame)
    display_from_patch = affine.compose(donor.display_from_crop, _shift(corner))
    coded_from_patch = affine.compose(info.coded_from_display, display_from_patch)
    return shown(info, crop_rgb(next(iter(frames)), info, coded_from_patch, _side(donor)))


def write_library(path: Path, library: Library) -> None:
    """Publishes a library as .npz."""
    with published(path) as partial, partial.open("wb") as file:
        parts = {part.name: getattr(library, part.name) for part in fields(Library)}
        parts |= {_image(n): image for n, image in enumerate(parts.pop("images"))}
        np.savez(file, **parts)


def _image(number: int) -> str:
    return f"image-{number}"


def read_library(path: Path) -> Library | None:
    """The library that `write_library` published; None where the job borrows nothing."""
    if not path.is_file():
        return None
    with np.load(path) as stored:
        names = [part.name for part in fields(Library) if part.name != "images"]
        parts: dict[str, Any] = {name: stored[name] for name in names}
        images = tuple(stored[_image(number)] for number in range(len(parts["frame"])))
        return Library(**parts, images=images)
