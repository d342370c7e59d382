"""What the frames of a shot lend each other: chosen for the whole clip, after the curve.

Never across a cut, from another face, or from a frame that was filled in. What is chosen are
columns of the plan, so that a piece cannot depend on where a clip is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.edit.lending.folds import FoldDonors, lend_folds
from pipeline.edit.lending.lids import lend_lids
from pipeline.edit.lending.mouths import lend_mouths
from pipeline.edit.lending.own import lend_own
from pipeline.edit.lending.track import Donor, ShotEdits, face_track
from pipeline.edit.personal.person import Person
from pipeline.edit.plan import NOTHING_LENT, EditPlan, crops_of
from pipeline.faces.faces import Analysis
from pipeline.pictures import times_of


@dataclass(frozen=True)
class Donors:
    """The frames that lend, of all faces and shots of a clip, and how those faces move."""

    mouths: list[Donor] = field(default_factory=list[Donor])
    folds: list[FoldDonors] = field(default_factory=list[FoldDonors])
    eyes: list[Donor] = field(default_factory=list[Donor])
    people: list[Person] = field(default_factory=list[Person])


def plan_lending(
    plan: EditPlan,
    analysis: Analysis,
    times_s: NDArray[np.float64],
    crop_size: int,
    *,
    any_size: bool = False,
    personal: bool = True,
) -> tuple[EditPlan, Donors]:
    """The plan with the donors of every face and shot in which the curve needs some.

    Args:
        personal: faces move as their shots show them to; else as the rig's.
    """
    columns = {name: plan.arrays[name].copy() for name in NOTHING_LENT}
    donors = Donors()
    for track in np.unique(plan.track).tolist():
        crops = crops_of(times_s, analysis, track, crop_size, any_size=any_size)
        for found in _by_shot(plan, analysis, track, times_s, *crops):
            edits = lend_own(found, columns) if personal else found
            if edits.person is not None:
                donors.people.append(edits.person)
            donors.mouths.extend(lend_mouths(edits, columns))
            donors.folds.extend(lend_folds(edits, columns))
            donors.eyes.extend(lend_lids(edits, columns))
    return replace(plan, **columns), donors


def _by_shot(
    plan: EditPlan,
    analysis: Analysis,
    track: int,
    times_s: NDArray[np.float64],
    path: NDArray[np.float64],
    size: NDArray[np.int64],
) -> Iterator[ShotEdits]:
    face = face_track(analysis, track, path, size)
    rows = np.flatnonzero(plan.track == track)
    pictures = analysis.pictures(times_s)
    at = np.searchsorted(
        pictures.number(face.frame, face.field),
        pictures.number(plan.frame[rows], plan.field[rows]),
    )
    for shot in np.unique(face.shot[at]):
        mine = face.shot[at] == shot
        here = rows[mine]
        yield ShotEdits(
            face,
            here,
            at[mine],
            plan.delta[here],
            plan.lids[here],
            times_of(times_s, plan.frame[here], plan.field[here]),
            face.lends & (face.shot == shot),
        )
