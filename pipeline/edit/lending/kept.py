"""What a shot lends, as one file of a job: decoded once, before rendering; segments only read it.

Bytes cannot depend on where a clip is cut, for every segment sees the same file.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.lent import Lent, LentEyes, LentMouth
from pipeline import affine
from pipeline.edit.lending.cutting import Cut, Patches
from pipeline.edit.lending.fold_maps import STEP
from pipeline.edit.personal.person import STEP as FACTOR_STEP
from pipeline.edit.plan import EditPlan
from pipeline.files import published


@dataclass(frozen=True)
class Library:
    """What a job's donors lend.

    Attributes:
        mouths, eyes: patches around them.
        fold_track, fold_donor, fold_group: `(F,)` int64.
        folds: `(F, 352, 352)` int8, log ratio in STEPs.
        people: `(K,)` int64 names in a plan's column `person`, and `people_factors` as in Person.
    """

    mouths: Patches
    eyes: Patches
    fold_track: NDArray[np.int64]
    fold_donor: NDArray[np.int64]
    fold_group: NDArray[np.int64]
    folds: NDArray[np.int8]
    people: NDArray[np.int64]
    people_factors: NDArray[np.int16]

    def lent(self, plan: EditPlan, row: int) -> Lent:
        """What is lent to one edit of a plan."""
        eyes = self._eyes(plan, row)
        return Lent(
            self._mouth(plan, row),
            self._folds(plan, row),
            eyes,
            plan.eyes_open[row] if eyes else None,
            self._person(plan, row),
        )

    def _person(self, plan: EditPlan, row: int) -> NDArray[np.float32] | None:
        for number in np.flatnonzero(self.people == plan.person[row])[:1]:
            return self.people_factors[number] * np.float32(FACTOR_STEP)
        return None

    def _mouth(self, plan: EditPlan, row: int) -> LentMouth | None:
        cut = self.mouths.of(int(plan.track[row]), int(plan.donor[row]))
        if cut is None:
            return None
        corner = np.column_stack([np.eye(2), cut.corner_px])
        return LentMouth(
            cut.frame,
            cut.image,
            cut.landmarks_px,
            affine.compose(plan.crop_from_donor[row], corner),
            float(plan.lent[row]),
        )

    def _eyes(self, plan: EditPlan, row: int) -> tuple[LentEyes, ...]:
        if not (plan.lids[row] > 0.0).any():
            return ()
        track = int(plan.track[row])
        cuts = [self.eyes.of(track, frame) for frame in plan.lid_donors[row].tolist()]
        return tuple(_eyes(cut) for cut in cuts if cut is not None)

    def _folds(self, plan: EditPlan, row: int) -> NDArray[np.float32] | None:
        sum_: NDArray[np.float32] | None = None
        for group in np.flatnonzero(plan.fold[row]).tolist():
            of = self.fold_track == plan.track[row], self.fold_donor == plan.fold_donor[row, group]
            found = of[0] & of[1] & (self.fold_group == group)
            for number in np.flatnonzero(found)[:1]:
                sum_ = np.zeros(self.folds.shape[1:], np.float32) if sum_ is None else sum_
                sum_ += self.folds[number] * np.float32(plan.fold[row, group] * STEP)
        return sum_


def _eyes(cut: Cut) -> LentEyes:
    return LentEyes(cut.frame, cut.image, cut.landmarks_px, cut.pose, cut.eyes_open)


def write_library(path: Path, library: Library) -> None:
    """Publishes a library as .npz."""
    parts: dict[str, Any] = {}
    for part in fields(Library):
        value = getattr(library, part.name)
        stored = value.stored() if isinstance(value, Patches) else {"": value}
        parts |= {f"{part.name}-{name}": array for name, array in stored.items()}
    with published(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **parts)


def read_library(path: Path) -> Library | None:
    """The library that `write_library` published; None where the job borrows nothing."""
    if not path.is_file():
        return None
    with np.load(path) as file:
        parts: dict[str, dict[str, Any]] = {}
        for name in file.files:
            part, _, rest = name.partition("-")
            parts.setdefault(part, {})[rest] = file[name]
    patches = {name: Patches.from_stored(parts.pop(name)) for name in ("mouths", "eyes")}
    return Library(**patches, **{name: stored[""] for name, stored in parts.items()})
