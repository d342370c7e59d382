"""The curves of every action unit: measured, asked for, achieved, and how far each can be read."""

from __future__ import annotations

import html

import numpy as np
from numpy.typing import NDArray

from keyframes.au import AU_COLUMN, AU_DESCRIPTIONS, INTENSITY_MAX
from pipeline.figures.verdict_page.charts import Line, chart, labelled
from pipeline.quality.evaluate import ShotVerdict
from pipeline.quality.gains import known_gain
from pipeline.quality.metrics.au_error import reachable


def units_section(verdict: ShotVerdict) -> str:
    """The page's section; nothing where no unit is asked for."""
    if not verdict.readings:
        return ""
    best = reachable(verdict.requested, verdict.measured)
    rows = ""
    for reading in verdict.readings:
        column = AU_COLUMN[reading.au]
        measured = verdict.measured.values[:, column]
        wanted = measured + verdict.requested.values[:, column]
        moved = measured + np.where(
            np.isfinite(verdict.moved[:, column]), verdict.moved[:, column], np.nan
        )
        finite = [v[np.isfinite(v)] for v in (wanted, moved, best[:, column])]
        high = max(INTENSITY_MAX, *(float(v.max(initial=0)) for v in finite)) + 0.3
        low = min(0.0, *(float(v.min(initial=0)) for v in finite)) - 0.3
        gain = known_gain(verdict.question.estimator, verdict.question.editor, reading.au)
        lines = [
            *([Line(_usual(verdict, column, gain.made_read), "usual")] if gain.made_read else []),
            Line(measured, "measured"),
            Line(wanted, "requested"),
            Line(moved, "moved"),
            Line(verdict.achieved.values[:, column], "achieved"),
        ]
        drawn = chart(verdict.times_s, lines, low=low, high=high, band=(0.0, INTENSITY_MAX),
                      label=f"AU{reading.au} over time")  # fmt: skip
        rows += labelled(f"AU{reading.au}", AU_DESCRIPTIONS[reading.au], drawn, high, low)
    return (
        "<section><h2>Action units</h2>"
        '<div class="legend"><span><i style="color:var(--before)"></i>measured before</span>'
        '<span><i style="color:var(--asked);border-top-style:dashed"></i>asked for</span>'
        '<span><i style="color:var(--after)"></i>achieved, as the estimator reads it</span>'
        '<span><i style="color:var(--moved)"></i>before + movement by geometry</span>'
        '<span><i style="color:#cfdde6"></i>reachable: no estimator reads outside 0…5</span>'
        f"{_usual_legend(verdict)}</div>"
        f"{rows}</section>"
    )


def _usual(verdict: ShotVerdict, column: int, gain: float) -> NDArray[np.float64]:
    """What is read of an edit that the editor makes as well as on drawn faces, within 0…5."""
    measured = verdict.measured.values[:, column].astype(np.float64)
    return np.clip(measured + gain * verdict.requested.values[:, column], 0.0, INTENSITY_MAX)


def _usual_legend(verdict: ShotVerdict) -> str:
    question = verdict.question
    gains = [known_gain(question.estimator, question.editor, r.au) for r in verdict.readings]
    if not any(gain.made_read for gain in gains):
        return ""
    return (
        '<span><i style="color:var(--usual);border-top-style:dotted"></i>as much as '
        f"{html.escape(question.editor)} is known to make, as read (drawn faces)</span>"
    )
