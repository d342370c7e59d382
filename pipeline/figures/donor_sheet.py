"""A contact sheet of what a shot lent to its own frames: each donor above a frame that borrows."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from engines.lent import FOLD_GROUPS
from keyframes.au import AU_COLUMN
from pipeline.edit.plan import EditPlan
from pipeline.faces.faces import Analysis
from pipeline.figures.contact_sheet import contact_sheet
from pipeline.media.read.inspection import Inspection
from pipeline.quality.clip import frame_at

DONORS_MAX = 18
_ZOOM = 1.4


class _Loan(NamedTuple):
    """One frame that lends something to rows of a plan, and which of them shows it best."""

    face: int
    donor: int
    what: str
    rows: NDArray[np.intp]
    borrower: int


def donor_sheet(
    path: Path,
    source: Inspection,
    made: Inspection,
    analysis: Analysis,
    plan: EditPlan,
    first: int = 0,
) -> None:
    """Writes the sheet; where nothing was lent there is none, and an older one goes.

    Args:
        first: frame of the source that is the first of what was made.
    Raises:
        MediaError: a frame that cannot be decoded.
        PipelineError: a place that cannot be written.
    """
    loans = [loan for face in np.unique(plan.track).tolist() for loan in _loans(plan, face)]
    if not loans:
        path.unlink(missing_ok=True)
        return
    lends, borrows, labels = [], [], []
    for loan in loans[:DONORS_MAX]:
        number = int(plan.frame[loan.borrower])
        lends.append(_face(frame_at(source, loan.donor), analysis, loan.face, loan.donor))
        borrows.append(_face(frame_at(made, number - first), analysis, loan.face, number))
        labels.append(f"{loan.donor} lends {loan.what} to {len(loan.rows)}; {number} shown")
    title = f"{Path(made.info.path).name}: what frames lent each other"
    contact_sheet(path, lends, borrows, labels, title, names=("lends", "borrows"))


def _loans(plan: EditPlan, face: int) -> list[_Loan]:
    """Of one face: mouths, then eyes, then folds by group."""
    plan = plan.by_frame
    mine = plan.track == face
    opening = plan.delta[:, [AU_COLUMN[25], AU_COLUMN[26]]].sum(axis=1)
    shut = plan.lids.max(axis=1)
    parts = [("its mouth", np.where(plan.lent > 0.0, plan.donor, -1), opening)]
    parts += [("its eyes", donor, shut) for donor in plan.lid_donors.T]
    parts += [
        (f"folds of AU{'+'.join(map(str, units))}", plan.fold_donor[:, group], plan.fold[:, group])
        for group, units in enumerate(FOLD_GROUPS)
    ]
    loans: list[_Loan] = []
    for what, donors, amount in parts:
        for donor in np.unique(donors[mine & (donors >= 0)]).tolist():
            rows = np.flatnonzero(mine & (donors == donor))
            best = int(rows[np.argmax(np.abs(amount[rows]))])
            loans.append(_Loan(face, donor, what, rows, best))
    return loans


def _face(picture: RGBFrame, analysis: Analysis, face: int, frame: int) -> RGBFrame:
    rows = analysis.rows_of(face)
    box: NDArray[np.float32] = analysis.box[rows[np.argmin(np.abs(analysis.frame[rows] - frame))]]
    centre, half = (box[:2] + box[2:]) / 2, _ZOOM * float((box[2:] - box[:2]).max()) / 2
    height, width = picture.shape[:2]
    x0, y0 = np.clip(np.rint(centre - half), 0, [width - 2, height - 2]).astype(int)
    x1, y1 = np.clip(np.rint(centre + half), [x0 + 1, y0 + 1], [width, height]).astype(int)
    return picture[y0:y1, x0:x1]
