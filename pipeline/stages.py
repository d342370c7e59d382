"""The five stages (and the plots) as plain functions over the run folder: row in, rows out. No Ray.

Each may raise; pipeline/actors.py turns what is raised into a row with an `error`.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engines.interface import AUEstimator, FaceTracker
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.plan import EditPlan, plan_edits, read_plan, write_plan
from pipeline.edit.render import render_segment
from pipeline.edit.segments import Span, plan_chunks, plan_segments
from pipeline.errors import PipelineError
from pipeline.faces.chunks import analyse_frames, read_chunk, write_chunk
from pipeline.faces.faces import assemble
from pipeline.faces.table import read_analysis, write_analysis
from pipeline.media.read.inspection import Inspection, inspect_video, read_inspection, write_index
from pipeline.media.read.reader import check_reader
from pipeline.media.write.containers import muxer_of
from pipeline.media.write.encode import EncodeSettings, mirror_settings
from pipeline.media.write.mux import finish
from pipeline.rows import SpanRow, StageRow, VideoRow, stage_row
from pipeline.settings import AnalysisSettings, RenderSettings, digest_of
from pipeline.store import MAX_STRIKES, VideoFolder, read_json, write_json


class Stopwatch:
    """Wall and CPU seconds (all threads of this process) since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, Any]:
        """The two columns of a stage row."""
        return {
            "seconds": time.perf_counter() - self._wall,
            "cpu_s": time.process_time() - self._cpu,
        }


def folder_of(row: VideoRow) -> VideoFolder:
    """The run folder of a row's video."""
    return VideoFolder.of(row["work"], row["video"], row["output"])


def inspect_stage(row: VideoRow, settings: AnalysisSettings) -> list[StageRow]:
    """Reads headers and packets; gives one row for the video and one per chunk still to analyse."""
    clock = Stopwatch()
    folder = folder_of(row)
    folder.sweep_orphans()
    inspection = inspect_video(row["source"])
    check_reader(row["source"], inspection.info, inspection.index, settings.reader)
    write_index(folder.index, inspection)
    rows = [
        stage_row(row["video"], "inspect", c.number, first=c.first, last=c.last, frames=c.frames)
        for c in _chunks_to_do(inspection, folder, settings)
    ]
    summary = stage_row(
        row["video"],
        "inspect",
        frames=inspection.frames,
        **clock.read(),
        notes="\n".join((*inspection.info.warnings, *inspection.index.notes)),
    )
    return [summary, *rows]


def _chunks_to_do(
    inspection: Inspection, folder: VideoFolder, settings: AnalysisSettings
) -> list[Span]:
    if folder.analysis(settings.digest).is_file():
        return []
    chunks = plan_chunks(inspection.index.is_key)
    return [c for c in chunks if not folder.chunk(settings.digest, c.number).is_file()]


def analyse_stage(
    row: SpanRow, settings: AnalysisSettings, tracker: FaceTracker, estimator: AUEstimator
) -> StageRow:
    """Finds and measures the faces of one chunk."""
    clock = Stopwatch()
    folder = folder_of(row)
    inspection = read_inspection(row["source"], folder.index)
    frames = (row["first"], row["last"])
    chunk = analyse_frames(inspection, *frames, tracker, estimator, settings.reader)
    write_chunk(folder.chunk(settings.digest, row["number"]), chunk)
    return stage_row(
        row["video"],
        "analyse",
        row["number"],
        frames=row["last"] - row["first"] + 1,
        **clock.read(),
    )


def assemble_stage(
    row: VideoRow, settings: AnalysisSettings, estimator: AUEstimator
) -> list[StageRow]:
    """Links a video's chunks into its analysis table; done once, kept for every later curve."""
    clock = Stopwatch()
    folder = folder_of(row)
    inspection = read_inspection(row["source"], folder.index)
    path = folder.analysis(settings.digest)
    if not path.is_file():
        spans = plan_chunks(inspection.index.is_key)
        chunks = [read_chunk(folder.chunk(settings.digest, s.number)) for s in spans]
        write_analysis(path, assemble(inspection.times_s, chunks, estimator), inspection)
        folder.sweep_chunks(settings.digest)
    faceless = read_analysis(path).faceless
    return [
        stage_row(
            row["video"],
            "assemble",
            frames=inspection.frames,
            faceless=int(faceless.sum()),
            **clock.read(),
        )
    ]


def plan_stage(
    row: VideoRow, analysis: AnalysisSettings, settings: RenderSettings
) -> list[StageRow]:
    """Evaluates the curve at every frame; gives one row per segment still to render.

    Segments whose piece is there already (same edits, engine and encoder) come as rows of stage
    `render`, as if they had just been made.
    """
    clock = Stopwatch()
    folder = folder_of(row)
    muxer_of(row["output"])  # before the work, not after it
    inspection = read_inspection(row["source"], folder.index)
    faces = read_analysis(folder.analysis(analysis.digest))
    planned = plan_edits(inspection, faces, settings.sheet, settings.editor.crop_size)
    write_plan(folder.plan, planned.plan)
    encode = encode_settings(inspection, settings)
    active = planned.plan.active(inspection.frames)
    spans = plan_segments(inspection.index.is_key, active, settings.editor.seconds_per_edit)
    digests = [segment_digest(s, planned.plan, settings, encode) for s in spans]
    write_json(folder.spans, {"spans": [asdict(s) for s in spans], "digests": digests})
    summary = stage_row(
        row["video"],
        "plan",
        frames=inspection.frames,
        edited=int(active.sum()),
        **clock.read(),
        notes="\n".join((*encode.warnings, *planned.warnings)),
    )
    return [
        summary,
        *(_segment_row(row, folder, s, d) for s, d in zip(spans, digests, strict=True)),
    ]


def encode_settings(inspection: Inspection, settings: RenderSettings) -> EncodeSettings:
    """The encoder that mirrors a source; the same for every piece of it."""
    return mirror_settings(inspection.info, settings.encode_preset, index=inspection.index)


def segment_digest(
    span: Span, plan: EditPlan, settings: RenderSettings, encode: EncodeSettings
) -> str:
    """Names all that a piece's bytes depend on."""
    edits = plan.within(span).digest()
    return digest_of(asdict(span), edits, settings.editor_digest, asdict(encode))


def _segment_row(row: VideoRow, folder: VideoFolder, span: Span, digest: str) -> StageRow:
    marker = read_json(folder.marker(span.number))
    if marker and marker["digest"] == digest and Path(marker["piece"]).is_file():
        counts = {"frames": marker["frames"], "edited": marker["edited"]}
        return stage_row(row["video"], "render", span.number, **counts, notes=marker["notes"])
    folder.marker(span.number).unlink(missing_ok=True)
    return stage_row(row["video"], "plan", span.number, first=span.first, last=span.last)


def render_stage(row: SpanRow, settings: RenderSettings, batcher: MicroBatcher) -> StageRow:
    """Encodes one piece, then commits it with its marker."""
    clock = Stopwatch()
    folder, span = folder_of(row), Span(row["number"], row["first"], row["last"])
    if folder.strike(span.number) >= MAX_STRIKES:
        raise PipelineError(
            f"segment {span.number} (frames {span.first}…{span.last}): its worker died "
            f"{MAX_STRIKES} times (out of memory? a crashing driver?); Ray's worker log has the end"
        )
    inspection = read_inspection(row["source"], folder.index)
    plan = read_plan(folder.plan).within(span)
    encode = encode_settings(inspection, settings)
    piece = folder.piece(span.number, encode.piece_format)
    progress = _FrameCounter(folder.frames_so_far(span.number))
    rendered = render_segment(inspection, span, plan, batcher, encode, piece, progress)
    notes = "\n".join(f"{note}: {count} frames" for note, count in rendered.notes.items())
    counts: dict[str, Any] = {"frames": rendered.frames, "edited": rendered.edited, "notes": notes}
    digest = segment_digest(span, plan, settings, encode)
    write_json(folder.marker(span.number), {"digest": digest, "piece": str(piece), **counts})
    folder.clear_strikes(span.number)
    folder.frames_so_far(span.number).unlink(missing_ok=True)
    return stage_row(row["video"], "render", span.number, **counts, **clock.read())


class _FrameCounter:
    """Writes how far a segment is, at most twice a second, for the driver's progress line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = time.monotonic() + 0.5

    def __call__(self, frames: int) -> None:
        if time.monotonic() >= self._next:
            self._path.write_text(str(frames))
            self._next = time.monotonic() + 0.5


def finish_stage(row: VideoRow, settings: RenderSettings, request: str) -> StageRow:
    """Joins the pieces, copies all other streams, verifies and publishes the output.

    Args:
        request: digest of the whole request; `done.json` carries it, so a rerun can skip the video.
    """
    clock = Stopwatch()
    folder, output = folder_of(row), Path(row["output"])
    inspection = read_inspection(row["source"], folder.index)
    encode = encode_settings(inspection, settings)
    spans = [Span(**s) for s in (read_json(folder.spans) or {})["spans"]]
    pieces = [str(folder.piece(s.number, encode.piece_format)) for s in spans]
    if output.exists() and not settings.overwrite:
        raise PipelineError(f"{output} appeared while the job ran; pass --overwrite to replace it")
    finished = finish(inspection.info, inspection.index, pieces, str(output), encode)
    write_json(folder.done, {"request": request, "bytes": output.stat().st_size})
    folder.sweep_pieces()
    notes = "\n".join(finished.warnings)
    return stage_row(row["video"], "finish", frames=finished.frames, **clock.read(), notes=notes)
