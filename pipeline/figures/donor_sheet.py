"""A contact sheet of what a shot lent to its own frames: each donor above a frame that borrows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.interface import RGBFrame
from keyframes.au import AU_COLUMN
from pipeline.edit.plan import EditPlan
from pipeline.faces.faces import Analysis
from pipeline.figures.contact_sheet import contact_sheet
from pipeline.media.read.inspection import Inspection
from pipeline.quality.clip import frame_at

DONORS_MAX = 12
_ZOOM = 1.4


def donor_sheet(
    path: Path, source: Inspection, made: Inspection, analysis: Analysis, plan: EditPlan
) -> None:
    """Writes the sheet; where nothing was lent there is none, and an older one goes.

    Raises:
        MediaError: a frame that cannot be decoded.
        PipelineError: a place that cannot be written.
    """
    lent = plan.lent > 0.0
    pairs = np.unique(np.column_stack([plan.track[lent], plan.donor[lent]]), axis=0)
    if not len(pairs):
        path.unlink(missing_ok=True)
        return
    lends, borrows, labels = [], [], []
    for face, donor in pairs[:DONORS_MAX].tolist():
        rows = np.flatnonzero(lent & (plan.track == face) & (plan.donor == donor))
        opening = plan.delta[rows][:, [AU_COLUMN[25], AU_COLUMN[26]]].sum(axis=1)
        borrower = int(plan.frame[rows[np.argmax(opening)]])
        lends.append(_face(frame_at(source, donor), analysis, face, donor))
        borrows.append(_face(frame_at(made, borrower), analysis, face, borrower))
        labels.append(f"frame {donor} lends its mouth to {len(rows)}; {borrower} is shown")
    title = f"{Path(made.info.path).name}: lent mouths"
    contact_sheet(path, lends, borrows, labels, title, names=("lends", "borrows"))


def _face(picture: RGBFrame, analysis: Analysis, face: int, frame: int) -> RGBFrame:
    rows = analysis.rows_of(face)
    box: NDArray[np.float32] = analysis.box[rows[np.argmin(np.abs(analysis.frame[rows] - frame))]]
    centre, half = (box[:2] + box[2:]) / 2, _ZOOM * float((box[2:] - box[:2]).max()) / 2
    height, width = picture.shape[:2]
    x0, y0 = np.clip(np.rint(centre - half), 0, [width - 2, height - 2]).astype(int)
    x1, y1 = np.clip(np.rint(centre + half), [x0 + 1, y0 + 1], [width, height]).astype(int)
    return picture[y0:y1, x0:x1]
