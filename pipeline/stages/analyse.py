"""Analyse: faces are found and measured a chunk at a time, then linked into one table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.interface import AUEstimator, FaceTracker
from pipeline.edit.segments import Span, plan_chunks
from pipeline.faces.chunks import analyse_frames, read_chunk, read_signatures, write_chunk
from pipeline.faces.faces import Analysis, assemble
from pipeline.faces.moments import moments_told
from pipeline.faces.stretches import Stretches, closed_stretches
from pipeline.faces.table import read_analysis, read_covered, write_analysis
from pipeline.guards.watchdog import allowance_s
from pipeline.inspected import inspection_of
from pipeline.media.read.decoding.reader import reader_note
from pipeline.media.read.inspection import Inspection
from pipeline.rows import SpanRow, StageRow, VideoRow, stage_row
from pipeline.run_folder.store import VideoFolder
from pipeline.run_folder.strikes import counted_start, whole_s, work_of
from pipeline.settings import AnalysisSettings, RenderSettings
from pipeline.source import check_unchanged
from pipeline.stages.common import Stopwatch, chunk_row, folder_of, of_frames, wanted_frames

ANALYSED_S = 0.1
"""Rough cost of measuring one frame."""
LINKED_S = 0.02
"""Of a frame where faces are linked: generous."""


def analyse_stage(
    row: SpanRow, settings: AnalysisSettings, tracker: FaceTracker, estimator: AUEstimator
) -> StageRow:
    """Finds and measures the faces of one chunk."""
    clock = Stopwatch()
    folder, span = folder_of(row), Span(row["number"], row["first"], row["last"])
    check_unchanged(row["source"], row["identity"])
    path = folder.chunk(settings.digest, span.first, span.last)
    if path.is_file():  # another curve on the same shot has asked for it as well
        return stage_row(row["video"], "analyse", span.number, frames=span.frames, **clock.read())
    inspection = inspection_of(row)
    limit_s = allowance_s(span.frames, ANALYSED_S, settings.stuck_after)
    with counted_start(folder, *of_frames("analyse", span), limit_s) as step:
        chunk = analyse_frames(
            inspection, span.first, span.last, tracker, estimator, settings.reader, step
        )
    check_unchanged(row["source"], row["identity"])
    write_chunk(path, chunk)
    notes = reader_note(row["source"], inspection.info, settings.reader)
    pictures = span.frames + len(chunk.in_fields)
    done = {"frames": span.frames, "pictures": pictures, "notes": notes, **clock.read()}
    return stage_row(row["video"], "analyse", span.number, **done)


def lacking_stage(
    row: VideoRow, settings: AnalysisSettings, render: RenderSettings | None
) -> list[StageRow]:
    """Rows of chunks that must be analysed first, so that every shot with an edit is whole.

    Which shots those are is seen in what is analysed: asked again and again, it goes outward from
    the wanted frames a chunk at a time, until a cut or the clip's end is met on either side.
    """
    inspection = inspection_of(row)
    wanted = wanted_frames(row, inspection, render)
    covered = read_covered(folder_of(row).analysis(settings.digest))
    if covered is not None and covered[wanted].all():
        return []
    chunks = plan_chunks(inspection.index.is_key)
    _, missing = _known(folder_of(row), settings, chunks, wanted)
    return [chunk_row(row, chunks[number]) for number in missing]


def _known(
    folder: VideoFolder, settings: AnalysisSettings, chunks: list[Span], wanted: NDArray[np.bool_]
) -> tuple[Stretches, list[int]]:
    paths = {c.number: folder.chunk(settings.digest, c.first, c.last) for c in chunks}
    seen = {number: read_signatures(path) for number, path in paths.items() if path.is_file()}
    return closed_stretches([(c.first, c.last) for c in chunks], seen, wanted)


def assemble_stage(
    row: VideoRow,
    settings: AnalysisSettings,
    estimator: AUEstimator,
    render: RenderSettings | None = None,
) -> tuple[StageRow, Analysis]:
    """Links a video's chunks into its analysis table, which grows by what other curves ask for.

    Returns:
        its row, and what is known of the shots that the curve touches; without one, of all.
    """
    clock = Stopwatch()
    folder = folder_of(row)
    check_unchanged(row["source"], row["identity"])
    inspection = inspection_of(row)
    wanted = wanted_frames(row, inspection, render)
    limit_s = whole_s(inspection.frames, LINKED_S, settings.stuck_after)
    with counted_start(folder, work_of("assemble", 0), "linking its faces", limit_s):
        analysis = _assembled(inspection, folder, settings, estimator, wanted).around(wanted)
    verdict = stage_row(
        row["video"],
        "assemble",
        frames=inspection.frames,
        faceless=int(analysis.faceless.sum()),
        **clock.read(),
        notes=moments_told(analysis.one_moment, settings.moments),
    )
    return verdict, analysis


def _assembled(
    inspection: Inspection,
    folder: VideoFolder,
    settings: AnalysisSettings,
    estimator: AUEstimator,
    wanted: NDArray[np.bool_],
) -> Analysis:
    """The kept analysis where that covers what is wanted; else the chunks, linked and kept."""
    path, digest = folder.analysis(settings.digest), settings.digest
    chunks = plan_chunks(inspection.index.is_key)

    def covers() -> bool:
        covered = read_covered(path)
        return covered is not None and bool(covered[wanted].all())

    if covers():
        return read_analysis(path)
    try:
        stretches = None if wanted.all() else _known(folder, settings, chunks, wanted)[0]
        if stretches is not None:
            chunks = [c for c in chunks if stretches.covered[c.first : c.last + 1].any()]
        found = (read_chunk(folder.chunk(digest, c.first, c.last)) for c in chunks)
        how: dict[str, Any] = {"stretches": stretches, "moments": settings.moments}
        analysis = assemble(inspection.times_s, found, estimator, **how)
    except FileNotFoundError:
        if covers():  # another run has assembled them meanwhile
            return read_analysis(path)
        raise
    write_analysis(path, analysis, inspection)
    if analysis.covered.all():
        folder.sweep_chunks(digest)
    return analysis
