"""Plan: the curve at every frame becomes crops, deltas and segments to render."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pipeline.edit.lending.kept import write_library
from pipeline.edit.lending.making import borrowed
from pipeline.edit.lending.own import are_own
from pipeline.edit.lending.told import lending_told
from pipeline.edit.plan import plan_edits, write_plan
from pipeline.edit.segments import ONE, Hands, Span, plan_segments
from pipeline.faces.faces import Analysis
from pipeline.faces.recognise import recognise, refuse_doubts, told
from pipeline.inspected import bounds_of, inspection_of
from pipeline.media.read.inspection import (
    Inspection,
)
from pipeline.media.write.containers import muxer_of
from pipeline.media.write.elements.element import Element, elements_of
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.pieces import (
    committed,
    encode_settings,
    frames_to_copy,
    kept_cut,
    segment_digest,
    write_spans,
)
from pipeline.rows import StageRow, VideoRow, stage_row
from pipeline.run_folder.own_curve import curve_of
from pipeline.run_folder.store import VideoFolder
from pipeline.run_folder.strikes import counted_start, whole_s, work_of
from pipeline.settings import RenderSettings
from pipeline.stages.common import Stopwatch, folder_of

PLANNED_S = 0.02
"""Of a frame where curves are evaluated: generous, with donors decoded."""


def plan_stage(
    row: VideoRow, faces: Analysis, settings: RenderSettings, hands: Hands = ONE
) -> list[StageRow]:
    """Evaluates the curve at every frame; gives one row per segment still to render.

    Segments whose piece is there already (same edits, engine and encoder) come as rows of stage
    `render`, as if they had just been made. Where such pieces are, the clip is cut as it was.

    Args:
        hands: what the cluster has for this clip.
    """
    folder = folder_of(row)
    muxer_of(row["output"])  # before the work, not after it
    inspection = inspection_of(row)
    limit_s = whole_s(inspection.frames, PLANNED_S, settings.stuck_after)
    with counted_start(folder, work_of("plan", 0), "planning its edits", limit_s):
        return _planned(row, folder, inspection, faces, settings, hands)


def _planned(
    row: VideoRow,
    folder: VideoFolder,
    inspection: Inspection,
    faces: Analysis,
    settings: RenderSettings,
    hands: Hands,
) -> list[StageRow]:
    clock = Stopwatch()
    sheet = curve_of(row, settings)
    who = recognise(inspection, faces.by_frame, sheet)
    refuse_doubts(who, inspection)
    editor = settings.editor
    any_size, side = editor.any_size, editor.crop_size
    first, last = bounds_of(inspection, settings.only)
    shown = Span(0, first, last)
    planned = plan_edits(inspection, faces, sheet, side, who, shown, any_size=any_size)
    if editor.borrows:
        how = {"any_size": any_size, "personal": are_own(editor.settings)}
        plan, library = borrowed(planned.plan, faces, inspection, side, **how)
        write_library(folder.lent(row["request"]), library)
        times_s, personal = inspection.times_s, how["personal"]
        lent = lending_told(plan.within(shown), faces, times_s, personal=personal)
        planned = replace(planned, plan=plan, warnings=(*planned.warnings, *lent))
    encode = encode_settings(inspection, settings)
    plan = planned.plan.within(shown)  # made of whole shots, so that a part is as in the whole
    active = plan.active(inspection.frames)[first : last + 1]
    index = inspection.index.part(first, last)
    copied = frames_to_copy(index, active, encode)
    digest_of_span = partial(segment_digest, plan=plan, settings=settings, encode=encode)
    per_edit_s = editor.seconds_per_edit * plan.pictures_per_frame
    spans = kept_cut(folder, copied, digest_of_span, first) or [
        replace(span, first=first + span.first, last=first + span.last)
        for span in plan_segments(index.is_key, active, per_edit_s, copied, hands)
    ]
    digests = [digest_of_span(span) for span in spans]
    write_plan(folder.plan(row["request"]), plan)
    write_spans(folder, row["request"], spans, digests)
    summary = stage_row(
        row["video"],
        "plan",
        frames=shown.frames,
        edited=int(active.sum()),
        **clock.read(),
        notes="\n".join((*encode.warnings, *planned.warnings)),
        people="\n".join(told(who, inspection)),
    )
    return [
        summary,
        *(
            _segment_row(row, folder, span, digest, encode, elements_of(settings.elements))
            for span, digest in zip(spans, digests, strict=True)
        ),
    ]


def _segment_row(
    row: VideoRow,
    folder: VideoFolder,
    span: Span,
    digest: str,
    encode: EncodeSettings,
    elements: Sequence[Element],
) -> StageRow:
    marker = committed(folder, span, digest, encode, elements)
    if marker:
        counts = {"frames": marker["frames"], "edited": marker["edited"]}
        return stage_row(row["video"], "render", span.number, **counts, notes=marker["notes"])
    folder.marker(span.number, digest).unlink(missing_ok=True)
    bounds: dict[str, Any] = {"first": span.first, "last": span.last, "digest": digest}
    bounds["frames"] = span.frames
    return stage_row(row["video"], "plan", span.number, **bounds)
