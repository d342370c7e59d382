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
    personal, how = question.own_units, {"any_size": traits.any_size}
    parts = source.measured, source.inspection, side
    lent, _ = borrowed(plan, *parts, **how, personal=personal)
    told = lending_told(lent.of_face(question.face), source.measured, times_s, personal=personal)
    return [ShotFinding("lent", "none", "", line) for line in told]
