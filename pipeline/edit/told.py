"""What a shot lent to its own frames, in words: for the report and for the verdict of a shot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN
from pipeline.edit.lending import opens_mouth
from pipeline.edit.plan import EditPlan
from pipeline.faces.faces import Analysis

FOLDING = (1, 2, 4, 9, 12, 15, 17, 20)
"""Units that fold or bulge the skin of a real face."""
_FOLDS_FROM = 1.5
_SHOTS_TOLD = 12


def lending_told(
    plan: EditPlan, analysis: Analysis, times_s: NDArray[np.float64]
) -> tuple[str, ...]:
    """One line per face, shot and thing: which frame lent it, or that it was painted or stays flat.

    Args:
        plan: after `plan_lending`.
        times_s: `(N,)` presentation time of every frame.
    """
    shot = np.cumsum(analysis.cut)[plan.frame]  # none without rows
    lines: list[str] = []
    told = 0
    for number in np.unique(shot).tolist():
        for face in np.unique(plan.track[shot == number]).tolist():
            rows = np.flatnonzero((shot == number) & (plan.track == face))
            first, last = times_s[plan.frame[rows[[0, -1]]]]
            found = [*_mouths(plan, rows), *_eyes(plan, rows), *_skin(plan, rows)]
            told += bool(found)
            if told > _SHOTS_TOLD:
                return (
                    *lines,
                    f"what further shots lent is in the plan's columns ({len(plan)} rows)",
                )
            lines += [f"{first:.2f}–{last:.2f} s, face {face}: {line}" for line in found]
    return tuple(lines)


def _mouths(plan: EditPlan, rows: NDArray[np.intp]) -> list[str]:
    opening = rows[opens_mouth(plan.delta[rows])]
    lending = opening[plan.lent[opening] > 0.0]
    lines = [
        f"frame {donor} lends its mouth where that opens (up to {count} frames)"
        for donor, count in zip(*np.unique(plan.donor[lending], return_counts=True), strict=True)
    ]
    if len(opening) > len(lending):
        painted = len(opening) - len(lending)
        lines.append(f"mouth painted: no frame shows one open enough ({painted} frames)")
    return lines


def _eyes(plan: EditPlan, rows: NDArray[np.intp]) -> list[str]:
    shut = int((plan.lids[rows] > 0.0).any(axis=1).sum())
    return [f"lids drawn down from each frame's own skin ({shut} frames)"] if shut else []


def _skin(plan: EditPlan, rows: NDArray[np.intp]) -> list[str]:
    strongest = plan.delta[rows].max(axis=0)
    flat = [f"AU{au}" for au in FOLDING if strongest[AU_COLUMN[au]] >= _FOLDS_FROM]
    return [f"skin stays flat where {', '.join(flat)} would fold it"] if flat else []
