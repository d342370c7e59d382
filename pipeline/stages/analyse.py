"""Analyse: faces are found and measured a chunk at a time, then linked into one table."""

from __future__ import annotations

from engines.interface import AUEstimator, FaceTracker
from pipeline.edit.segments import Span, plan_chunks
from pipeline.faces.chunks import analyse_frames, read_chunk, write_chunk
from pipeline.faces.faces import Analysis, assemble
from pipeline.faces.table import read_analysis, write_analysis
from pipeline.inspected import inspection_of
from pipeline.media.read.inspection import (
    Inspection,
)
from pipeline.rows import SpanRow, StageRow, VideoRow, stage_row
from pipeline.settings import AnalysisSettings
from pipeline.source import check_unchanged
from pipeline.stages.common import Stopwatch, folder_of, of_frames
from pipeline.store import VideoFolder
from pipeline.strikes import counted_start, whole_s, work_of
from pipeline.watchdog import allowance_s

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
    inspection = inspection_of(row)
    limit_s = allowance_s(span.frames, ANALYSED_S, settings.stuck_after)
    with counted_start(folder, *of_frames("analyse", span), limit_s) as step:
        chunk = analyse_frames(
            inspection, span.first, span.last, tracker, estimator, settings.reader, step
        )
    check_unchanged(row["source"], row["identity"])
    write_chunk(folder.chunk(settings.digest, span.first, span.last), chunk)
    return stage_row(row["video"], "analyse", span.number, frames=span.frames, **clock.read())


def assemble_stage(
    row: VideoRow, settings: AnalysisSettings, estimator: AUEstimator
) -> tuple[StageRow, Analysis]:
    """Links a video's chunks into its analysis table; done once, kept for every later curve."""
    clock = Stopwatch()
    folder = folder_of(row)
    check_unchanged(row["source"], row["identity"])
    inspection = inspection_of(row)
    path = folder.analysis(settings.digest)
    limit_s = whole_s(inspection.frames, LINKED_S, settings.stuck_after)
    with counted_start(folder, work_of("assemble", 0), "linking its faces", limit_s):
        analysis = _assembled(inspection, folder, settings, estimator)
        if analysis is None:
            analysis = read_analysis(path)
        else:
            write_analysis(path, analysis, inspection)
            folder.sweep_chunks(settings.digest)
    verdict = stage_row(
        row["video"],
        "assemble",
        frames=inspection.frames,
        faceless=int(analysis.faceless.sum()),
        **clock.read(),
    )
    return verdict, analysis


def _assembled(
    inspection: Inspection, folder: VideoFolder, settings: AnalysisSettings, estimator: AUEstimator
) -> Analysis | None:
    """The chunks as one analysis; None where that lies in the folder already."""
    path = folder.analysis(settings.digest)
    if path.is_file():
        return None
    spans = plan_chunks(inspection.index.is_key)
    chunks = (read_chunk(folder.chunk(settings.digest, s.first, s.last)) for s in spans)
    try:
        return assemble(inspection.times_s, chunks, estimator)
    except FileNotFoundError:
        if path.is_file():  # another run has assembled them meanwhile
            return None
        raise
