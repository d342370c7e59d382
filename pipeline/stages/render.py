"""Render: one segment is decoded, edited and encoded into a piece."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines.errors import NumericOverflowError
from engines.segmenters.multiclass import open_segmenter
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.lending.kept import read_library
from pipeline.edit.plan import read_plan
from pipeline.edit.render import render_segment
from pipeline.errors import PipelineError
from pipeline.guards.watchdog import allowance_s
from pipeline.inspected import inspection_of
from pipeline.media.write.elements.element import elements_of
from pipeline.media.write.encoding.nvenc import check_encoder
from pipeline.pieces import (
    commit,
    encode_settings,
    files_of,
    planned_span,
    segment_digest,
)
from pipeline.rows import SpanRow, StageRow, stage_row
from pipeline.run_folder.strikes import counted_start
from pipeline.settings import RenderSettings
from pipeline.source import check_unchanged
from pipeline.stages.common import Stopwatch, folder_of, of_frames


def render_stage(
    row: SpanRow,
    settings: RenderSettings,
    batcher: MicroBatcher,
    wider: Callable[[NumericOverflowError], MicroBatcher] | None = None,
) -> StageRow:
    """Encodes one piece, then commits it with its marker.

    Args:
        wider: gives a batcher for the whole segment again, when the editor's number format
            overflowed; a frame of another format amid the others would flicker.
    """
    clock = Stopwatch()
    folder = folder_of(row)
    span = planned_span(folder, row["request"], row["number"])
    check_unchanged(row["source"], row["identity"])
    inspection = inspection_of(row)
    plan = read_plan(folder.plan(row["request"])).within(span)
    encode = encode_settings(inspection, settings)
    digest = segment_digest(span, plan, settings, encode)
    if digest != row["digest"]:
        raise PipelineError(
            f"segment {span.number}: {folder.plan(row['request'])} is not the plan this run made; "
            "run again"
        )
    check_encoder(encode)
    piece = folder.piece(span.number, digest, encode.piece_format)
    parts = inspection, span, plan
    elements = elements_of(settings.elements)
    library = read_library(folder.lent(row["request"]))
    segmenter = open_segmenter(settings.segmenter) if settings.segmenter else None
    look: dict[str, Any] = {"border": settings.border, "library": library, "elements": elements}
    look |= {"segmenter": segmenter}
    per_frame_s = settings.editor.seconds_per_edit * plan.pictures_per_frame
    limit_s = allowance_s(span.frames, per_frame_s, settings.stuck_after)
    with counted_start(folder, *of_frames("render", span), limit_s) as step:
        progress = _FrameCounter(folder.frames_so_far(span.number), step)
        try:
            rendered = render_segment(*parts, batcher, encode, piece, progress, **look)
        except NumericOverflowError as error:
            if wider is None:
                raise
            again = wider(error)
            rendered = render_segment(*parts, again, encode, piece, progress, **look)
            rendered.notes[f"repeated with {_changed(error)}: {error}"] = rendered.edited
    check_unchanged(row["source"], row["identity"])
    notes = "\n".join(f"{note}: {count} frames" for note, count in rendered.notes.items())
    counts: dict[str, Any] = {"frames": rendered.frames, "edited": rendered.edited, "notes": notes}
    commit(folder, span, digest, files_of(folder, span, digest, encode, elements), counts)
    folder.frames_so_far(span.number).unlink(missing_ok=True)
    counts |= {"edit_s": batcher.edit_s, "pictures": len(plan.frame)}
    return stage_row(row["video"], "render", span.number, **counts, **clock.read())


def _changed(error: NumericOverflowError) -> str:
    return ", ".join(f"{name} {value}" for name, value in error.remedy.items())


class _FrameCounter:
    """Writes how far a segment is, at most twice a second, for the driver's progress line."""

    def __init__(self, path: Path, step: Callable[[], None]) -> None:
        self._path = path
        self._step = step
        self._next = time.monotonic() + 0.5

    def __call__(self, frames: int) -> None:
        self._step()
        if time.monotonic() >= self._next:
            self._path.write_text(str(frames))
            self._next = time.monotonic() + 0.5
