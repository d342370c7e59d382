"""From the frames that lend to a library: each is decoded once, all that it lends is cut out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.editors.plate.skin import SIDE, on_chart
from engines.editors.rig.points import POINTS
from engines.lent import PERSONAL_GROUPS
from pipeline import affine
from pipeline.edit.lending.cutting import Patches, Place, eyes_place, mouth_place
from pipeline.edit.lending.fold_maps import fold_map
from pipeline.edit.lending.folds import FoldDonors
from pipeline.edit.lending.kept import Library
from pipeline.edit.lending.lend import Donors, plan_lending
from pipeline.edit.lending.track import Donor
from pipeline.edit.personal.person import Person
from pipeline.edit.plan import EditPlan
from pipeline.edit.shown import shown
from pipeline.faces.faces import Analysis
from pipeline.media.colour import crop_rgb
from pipeline.media.fields import Picture
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.decoding.pictures import PictureReader
from pipeline.media.read.inspection import Inspection
from pipeline.pictures import FIRST, WHOLE

CHART_CROP = 512
"""Side of the crops that folds are looked for in; the chart has no more detail."""
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_Key = tuple[int, int]


def borrowed(
    plan: EditPlan,
    faces: Analysis,
    inspection: Inspection,
    crop_size: int,
    *,
    any_size: bool = False,
    personal: bool = True,
) -> tuple[EditPlan, Library]:
    """The plan with what each edit is lent, and the library that lends it.

    Args:
        personal: faces move as their shots show them to; else as the rig's.

    Raises:
        MediaError: a frame that cannot be decoded.
    """
    how = {"any_size": any_size, "personal": personal}
    plan, donors = plan_lending(plan, faces, inspection.times_s, crop_size, **how)
    library = make_library(inspection, donors)
    return _without_lost(plan, library), library


def make_library(inspection: Inspection, donors: Donors) -> Library:
    """Decodes the donors' frames, and keeps what they lend.

    Raises:
        MediaError: a frame that cannot be decoded.
    """
    places = [[mouth_place(d) for d in donors.mouths], [eyes_place(d) for d in donors.eyes]]
    images: dict[tuple[_Key, int], NDArray[Any]] = {}
    charts: dict[_Key, NDArray[np.float32]] = {}
    folded = {_key(d): d for f in donors.folds for d in (*f.strong, *f.rest)}
    wanted = {place.donor.frame for part in places for place in part}
    wanted |= {frame for _, frame in folded}
    for number, pictures in _decoded(inspection, sorted(wanted)):
        for kind, part in enumerate(places):
            for place in part:
                if place.donor.frame == number:
                    picture = pictures[place.donor.field]
                    images[_key(place.donor), kind] = _patch(inspection, picture, place)
        for key, donor in folded.items():
            if donor.frame == number:
                charts[key] = _chart(inspection, pictures[donor.field], donor)
    mouths, eyes = (
        Patches.of_places(part, [images[_key(place.donor), kind] for place in part])
        for kind, part in enumerate(places)
    )
    keys, factors = _people(donors.people)
    folds = _folds(donors.folds, charts)
    return Library(mouths, eyes, *folds, people=keys, people_factors=factors)


def _people(people: list[Person]) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    """What names people in a plan, and how they move."""
    factors = [person.factors for person in people]
    shape = -1, len(PERSONAL_GROUPS), POINTS, 2
    return np.array([p.key for p in people], np.int64), np.array(factors, np.int16).reshape(shape)


def _key(donor: Donor) -> _Key:
    return donor.track, donor.frame


def _decoded(
    inspection: Inspection, numbers: list[int]
) -> Iterator[tuple[int, dict[int, Picture]]]:
    """Frames in order, each as a whole and by its first field; what lies between two is decoded
    only where no key frame does."""
    info, index = inspection.info, inspection.index
    told = PictureReader(info)
    keys = np.flatnonzero(index.is_key)
    groups: dict[int, list[int]] = {}
    for number in numbers:
        groups.setdefault(int(np.searchsorted(keys, number, side="right")), []).append(number)
    for group in groups.values():
        frames = decode_range(info.path, info, index, group[0], group[-1])
        for number, frame in enumerate(frames, group[0]):
            if number in group:
                yield number, {WHOLE: frame, FIRST: told.pictures(frame)[0]}


def _patch(inspection: Inspection, frame: Picture, place: Place) -> NDArray[Any]:
    info = inspection.info
    coded_from_patch = affine.compose(info.coded_from_display, place.display_from_patch)
    return shown(info, crop_rgb(frame, info, coded_from_patch, place.side))


def _chart(inspection: Inspection, frame: Picture, donor: Donor) -> NDArray[np.float32]:
    """`(352, 352)` luma of the skin, 0…255."""
    scale = donor.size / CHART_CROP
    smaller = np.array([[scale, 0.0, (scale - 1.0) / 2], [0.0, scale, (scale - 1.0) / 2]])
    place = affine.compose(donor.display_from_crop, smaller)
    info = inspection.info
    coded = affine.compose(info.coded_from_display, place)
    crop = shown(info, crop_rgb(frame, info, coded, CHART_CROP))
    luma = crop.astype(np.float32) @ (_LUMA * np.float32(255 / np.iinfo(crop.dtype).max))
    points = (donor.landmarks_px - (scale - 1.0) / 2) / scale
    return np.asarray(on_chart(cv2.GaussianBlur(luma, (0, 0), 0.5), points, donor.pose))


def _folds(
    folds: list[FoldDonors], charts: dict[_Key, NDArray[np.float32]]
) -> tuple[NDArray[Any], ...]:
    """The folds of a library, and what names them."""
    names: list[tuple[int, int, int]] = []
    maps: list[NDArray[np.int8]] = []
    for donors in folds:
        strong, rest = (
            [charts[_key(donor)] for donor in part] for part in (donors.strong, donors.rest)
        )
        made = fold_map(strong, rest, donors.group)
        if made is not None:
            names.append((*_key(donors.strong[0]), donors.group))
            maps.append(made)
    columns = np.array(names, np.int64).reshape(-1, 3).T
    return (*columns, np.array(maps, np.int8).reshape(-1, SIDE, SIDE))


def _without_lost(plan: EditPlan, library: Library) -> EditPlan:
    """The plan without the folds that turned out to be none."""
    fold, donor = plan.fold.copy(), plan.fold_donor.copy()
    kept = set(zip(*(library.fold_track, library.fold_donor, library.fold_group), strict=True))
    for row, group in np.argwhere(donor >= 0).tolist():
        if (plan.track[row], donor[row, group], group) not in kept:
            fold[row, group], donor[row, group] = 0.0, -1
    return replace(plan, fold=fold, fold_donor=donor)
