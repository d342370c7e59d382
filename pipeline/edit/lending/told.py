"""What a shot lent to its own frames, in words: for the report and for the verdict of a shot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.lent import FOLD_GROUPS, PERSONAL_GROUPS
from pipeline.edit.lending.folds import group_delta
from pipeline.edit.lending.mouths import opens_mouth, shows_own
from pipeline.edit.lending.own import asked_of
from pipeline.edit.plan import EditPlan
from pipeline.faces.faces import Analysis

_FOLDS_FROM = 1.5
_SHOTS_TOLD = 12


def lending_told(
    plan: EditPlan,
    analysis: Analysis,
    times_s: NDArray[np.float64],
    *,
    personal: bool = True,
) -> tuple[str, ...]:
    """One line per face, shot and thing: which frame lent it, or that it was painted or stays flat.

    Args:
        plan: after `borrowed` (making.py).
        times_s: `(N,)` presentation time of every frame.
        personal: faces could move as their shots show them to.
    """
    plan = plan.by_frame
    shot = np.cumsum(analysis.cut)[plan.frame]  # none without rows
    lines: list[str] = []
    told = 0
    for number in np.unique(shot).tolist():
        for face in np.unique(plan.track[shot == number]).tolist():
            rows = np.flatnonzero((shot == number) & (plan.track == face))
            first, last = times_s[plan.frame[rows[[0, -1]]]]
            found = [*_mouths(plan, rows), *_eyes(plan, rows), *_skin(plan, rows)]
            found += _own(plan, rows) if personal else []
            told += bool(found)
            if told > _SHOTS_TOLD:
                return (
                    *lines,
                    f"what further shots lent is in the plan's columns ({len(plan)} rows)",
                )
            lines += [f"{first:.2f}–{last:.2f} s, face {face}: {line}" for line in found]
    return tuple(lines)


def _own(plan: EditPlan, rows: NDArray[np.intp]) -> list[str]:
    gained = plan.own[rows[0]]
    asked = np.flatnonzero(asked_of(plan.delta[rows])).tolist()
    own = [f"{_named(group)} ({gained[group]:.0%})" for group in asked if gained[group]]
    rigs = ", ".join(_named(group) for group in asked if not gained[group])
    if not own:
        return [f"{rigs} as the rig moves any face: the shot proves no way of its own"] * bool(rigs)
    how = f"{', '.join(own)} as this person moves (so much less error than the rig's, held out)"
    return [f"{how}; {rigs} as the rig's" if rigs else how]


def _named(group: int) -> str:
    return "+".join(f"AU{unit}" for unit in PERSONAL_GROUPS[group])


def _mouths(plan: EditPlan, rows: NDArray[np.intp]) -> list[str]:
    opening = rows[opens_mouth(plan.delta[rows])]
    lending = opening[plan.lent[opening] > 0.0]
    lines = [
        f"frame {donor} lends its mouth where that opens (up to {count} frames)"
        for donor, count in zip(*np.unique(plan.donor[lending], return_counts=True), strict=True)
    ]
    lacking = opening[plan.lent[opening] <= 0.0]
    painted = int((~shows_own(plan.landmarks_px[lacking], plan.pose[lacking])).sum())
    if painted:
        lines.append(f"mouth painted: no frame shows one open enough ({painted} frames)")
    return lines


def _eyes(plan: EditPlan, rows: NDArray[np.intp]) -> list[str]:
    shutting = rows[(plan.lids[rows] > 0.0).any(axis=1)]
    if not len(shutting):
        return []
    donors = np.unique(plan.lid_donors[shutting])
    named = ", ".join(str(number) for number in donors[donors >= 0].tolist())
    if not named:
        why = "the shot has no blink to lend"
        return [f"lids drawn down from each frame's own skin: {why} ({len(shutting)} frames)"]
    return [f"frames {named} lend their shut or half-shut eyes (up to {len(shutting)} frames)"]


def _skin(plan: EditPlan, rows: NDArray[np.intp]) -> list[str]:
    lines, flat = list[str](), list[str]()
    strongest = np.abs(group_delta(plan.delta[rows])).max(axis=0, initial=0.0)
    for group, units in enumerate(FOLD_GROUPS):
        name = "+".join(f"AU{unit}" for unit in units)
        lending = rows[plan.fold_donor[rows, group] >= 0]
        for donor in np.unique(plan.fold_donor[lending, group]).tolist():
            count = int((plan.fold_donor[lending, group] == donor).sum())
            lines.append(
                f"frame {donor} and those beside it lend the folds of {name} (up to {count} frames)"
            )
        if not len(lending) and strongest[group] >= _FOLDS_FROM:
            flat.append(name)
    if flat:
        lines.append(f"skin stays flat where {', '.join(flat)} would fold it: no frame shows it")
    return lines
