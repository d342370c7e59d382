"""What an editor that borrows was lent: planned again, which gives what the run was given."""

from __future__ import annotations

from engines.registry import EDITORS, traits_of
from pipeline.edit.lending.making import borrowed
from pipeline.edit.lending.told import lending_told
from pipeline.edit.plan import plan_edits
from pipeline.quality.clip import Clip
from pipeline.quality.question import Question
from pipeline.quality.verdict import ShotFinding


def lent_findings(source: Clip, question: Question) -> list[ShotFinding]:
    """A line per shot of what was lent; none without a curve, or of an editor that borrows not.

    Of a part of a clip neither: its donors may lie outside, and the run's report tells of them.
    """
    if question.sheet is None or question.editor not in EDITORS or source.inspection.index.cut:
        return []
    traits, side = traits_of("editor", question.editor), question.crop_size
    if not traits.borrows:
        return []
    parts = source.inspection, source.measured, question.sheet, side
    plan = plan_edits(*parts, question.who, any_size=traits.any_size).plan
    times_s = source.inspection.times_s
    lent, _ = borrowed(plan, source.measured, source.inspection, side, any_size=traits.any_size)
    told = lending_told(lent.of_face(question.face), source.measured, times_s)
    return [ShotFinding("lent", "none", "", line) for line in told]
