"""The five stages (and the plots) as plain functions over the run folder: row in, rows out. No Ray.

Each may raise; pipeline/actors.py turns what is raised into a row with an `error`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.errors import NumericOverflowError
from engines.interface import AUEstimator, FaceTracker
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.library import borrowed, read_library
from pipeline.edit.plan import plan_edits, read_plan, write_plan
from pipeline.edit.render import render_segment
from pipeline.edit.segments import Span, plan_chunks, plan_segments
from pipeline.edit.told import lending_told
from pipeline.errors import PipelineError
from pipeline.faces.chunks import analyse_frames, read_chunk, write_chunk
from pipeline.faces.faces import Analysis, assemble
from pipeline.faces.recognise import recognise, refuse_doubts, told
from pipeline.faces.table import read_analysis, write_analysis
from pipeline.files import sweep_partials
from pipeline.lease import check_claimed
from pipeline.media.read.inspection import (
    Inspection,
    inspect_video,
    read_inspection,
    write_inspection,
)
from pipeline.media.read.reader import check_reader
from pipeline.media.write.check import check_output
from pipeline.media.write.containers import muxer_of
from pipeline.media.write.elements.check import check_elements
from pipeline.media.write.elements.element import Element, elements_of
from pipeline.media.write.elements.publishing import elements_beside
from pipeline.media.write.encoding.encode import EncodeSettings
from pipeline.media.write.mux import finish
from pipeline.media.write.shared_header import NotCopyableError
from pipeline.media.write.untouched import encoded_anew
from pipeline.own_curve import curve_of
from pipeline.pieces import (
    commit,
    committed,
    encode_settings,
    files_of,
    frames_to_copy,
    planned_pieces,
    planned_span,
    segment_digest,
    write_spans,
)
from pipeline.rows import SpanRow, StageRow, VideoRow, stage_row
from pipeline.settings import AnalysisSettings, RenderSettings
from pipeline.source import check_unchanged
from pipeline.store import VideoFolder, write_done
from pipeline.strikes import counted_start, whole_s, work_of
from pipeline.watchdog import allowance_s

ANALYSED_S = 0.1
"""Rough cost of measuring one frame."""
LINKED_S = PLANNED_S = 0.02
"""Of a frame where faces are linked and curves evaluated: generous, with donors decoded."""
FINISHED_S = 0.5
"""Of a frame at the end: packets are joined, copied and verified, or, at worst, encoded there."""


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
    return VideoFolder.of(row)


def inspect_stage(
    row: VideoRow, settings: AnalysisSettings, render: RenderSettings | None = None
) -> list[StageRow]:
    """Reads headers and packets; gives one row for the video and one per chunk still to analyse.

    Args:
        render: of a run that will write: what it could not is refused here, before any work.
    """
    clock = Stopwatch()
    folder = folder_of(row)
    _sweep(row)
    check_unchanged(row["source"], row["identity"])
    inspection = _inspection(row)
    check_reader(row["source"], inspection.info, inspection.index, settings.reader)
    told: tuple[str, ...] = ()
    if render is not None:
        encode = encode_settings(inspection, render)
        told = check_output(inspection.info, encode, row["output"], inspection.index)
        told += check_elements(inspection, render.elements, Path(row["output"]), Path(row["work"]))
    rows = [
        stage_row(row["video"], "inspect", c.number, first=c.first, last=c.last, frames=c.frames)
        for c in _chunks_to_do(inspection, folder, settings)
    ]
    summary = stage_row(
        row["video"],
        "inspect",
        frames=inspection.frames,
        **clock.read(),
        notes="\n".join((*inspection.info.warnings, *inspection.index.notes, *told)),
    )
    return [summary, *rows]


def _sweep(row: VideoRow) -> None:
    """Removes what processes that died left half-written, of this run and of others."""
    folder_of(row).sweep_orphans()
    sweep_partials(Path(row["output"]).parent)


def _inspection(row: VideoRow) -> Inspection:
    """The kept inspection of exactly this source, made where there is none."""
    path = folder_of(row).inspection
    if not path.is_file():
        inspection = inspect_video(row["source"])
        check_unchanged(row["source"], row["identity"])
        write_inspection(path, inspection)
    return read_inspection(row["source"], path)


def _chunks_to_do(
    inspection: Inspection, folder: VideoFolder, settings: AnalysisSettings
) -> list[Span]:
    if folder.analysis(settings.digest).is_file():
        return []
    chunks = plan_chunks(inspection.index.is_key)
    return [c for c in chunks if not folder.chunk(settings.digest, c.first, c.last).is_file()]


def analyse_stage(
    row: SpanRow, settings: AnalysisSettings, tracker: FaceTracker, estimator: AUEstimator
) -> StageRow:
    """Finds and measures the faces of one chunk."""
    clock = Stopwatch()
    folder, span = folder_of(row), Span(row["number"], row["first"], row["last"])
    check_unchanged(row["source"], row["identity"])
    inspection = read_inspection(row["source"], folder.inspection)
    limit_s = allowance_s(span.frames, ANALYSED_S, settings.stuck_after)
    with counted_start(folder, *_of_frames("analyse", span), limit_s) as step:
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
    inspection = read_inspection(row["source"], folder.inspection)
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


def plan_stage(row: VideoRow, faces: Analysis, settings: RenderSettings) -> list[StageRow]:
    """Evaluates the curve at every frame; gives one row per segment still to render.

    Segments whose piece is there already (same edits, engine and encoder) come as rows of stage
    `render`, as if they had just been made.
    """
    folder = folder_of(row)
    muxer_of(row["output"])  # before the work, not after it
    inspection = read_inspection(row["source"], folder.inspection)
    limit_s = whole_s(inspection.frames, PLANNED_S, settings.stuck_after)
    with counted_start(folder, work_of("plan", 0), "planning its edits", limit_s):
        return _planned(row, folder, inspection, faces, settings)


def _planned(
    row: VideoRow,
    folder: VideoFolder,
    inspection: Inspection,
    faces: Analysis,
    settings: RenderSettings,
) -> list[StageRow]:
    clock = Stopwatch()
    sheet = curve_of(row, settings)
    who = recognise(inspection, faces, sheet)
    refuse_doubts(who, inspection)
    editor = settings.editor
    any_size, side = editor.any_size, editor.crop_size
    planned = plan_edits(inspection, faces, sheet, side, who, any_size=any_size)
    if editor.borrows:
        library = folder.library(row["request"])
        plan = borrowed(planned.plan, faces, inspection, side, library, any_size=any_size)
        lent = lending_told(plan, faces, inspection.times_s)
        planned = replace(planned, plan=plan, warnings=(*planned.warnings, *lent))
    encode = encode_settings(inspection, settings)
    active = planned.plan.active(inspection.frames)
    spans = plan_segments(
        inspection.index.is_key,
        active,
        settings.editor.seconds_per_edit,
        frames_to_copy(inspection.index, active, encode),
    )
    digests = [segment_digest(s, planned.plan, settings, encode) for s in spans]
    write_plan(folder.plan(row["request"]), planned.plan)
    write_spans(folder, row["request"], spans, digests)
    summary = stage_row(
        row["video"],
        "plan",
        frames=inspection.frames,
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
    return stage_row(row["video"], "plan", span.number, **bounds)


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
    inspection = read_inspection(row["source"], folder.inspection)
    plan = read_plan(folder.plan(row["request"])).within(span)
    encode = encode_settings(inspection, settings)
    digest = segment_digest(span, plan, settings, encode)
    if digest != row["digest"]:
        raise PipelineError(
            f"segment {span.number}: {folder.plan(row['request'])} is not the plan this run made; "
            "run again"
        )
    piece = folder.piece(span.number, digest, encode.piece_format)
    parts = inspection, span, plan
    elements = elements_of(settings.elements)
    library = read_library(folder.library(row["request"]))
    look = {"border": settings.border, "library": library, "elements": elements}
    limit_s = allowance_s(span.frames, settings.editor.seconds_per_edit, settings.stuck_after)
    with counted_start(folder, *_of_frames("render", span), limit_s) as step:
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
    return stage_row(row["video"], "render", span.number, **counts, **clock.read())


def _changed(error: NumericOverflowError) -> str:
    return ", ".join(f"{name} {value}" for name, value in error.remedy.items())


def _of_frames(stage: str, span: Span) -> tuple[str, str]:
    return work_of(stage, span.number), f"{stage} of frames {span.first}…{span.last}"


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


def finish_stage(row: VideoRow, settings: RenderSettings) -> StageRow:
    """Joins the pieces, copies all other streams, verifies and publishes the output.

    Plan, segments, pieces and request are held against each other first, the source against what
    it was and the run's claim against the output's last; `done.json` lets a rerun skip the video.
    """
    folder = folder_of(row)
    check_unchanged(row["source"], row["identity"])
    inspection = read_inspection(row["source"], folder.inspection)
    limit_s = whole_s(inspection.frames, FINISHED_S, settings.stuck_after)
    with counted_start(folder, work_of("finish", 0), "joining its pieces", limit_s):
        return _finished(row, folder, inspection, settings)


def _finished(
    row: VideoRow, folder: VideoFolder, inspection: Inspection, settings: RenderSettings
) -> StageRow:
    clock, output = Stopwatch(), Path(row["output"])
    encode = encode_settings(inspection, settings)
    pieces, names = planned_pieces(folder, row["request"], inspection, settings, encode)

    def check() -> None:
        check_unchanged(row["source"], row["identity"])
        if output.exists() and output.samefile(row["source"]):
            raise PipelineError(f"{output}: is the input itself; footage is never overwritten")
        if row["run"]:
            check_claimed(output, row["run"])

    what = inspection.info, inspection.index
    how: dict[str, Any] = {"replace": settings.overwrite, "check": check}
    notes: list[str] = []
    strength = read_plan(folder.plan(row["request"])).strength(inspection.frames)
    beside = (output, inspection, names, settings.elements, strength)
    with elements_beside(*beside, replace=settings.overwrite) as elements:
        try:
            finished = finish(*what, pieces, str(output), encode, **how)
        except NotCopyableError as error:
            notes.append(f"frames without an edit were encoded, not copied: {error}")
            encoded = encoded_anew(pieces, folder.job_folder, *what, encode)
            alone = replace(encode, copies_untouched=False)
            finished = finish(*what, encoded, str(output), alone, **how)
    folder.sweep_job(row["request"])
    _sweep(row)
    write_done(folder, output, row["request"])
    told: dict[str, Any] = {"notes": "\n".join((*notes, *finished.warnings))}
    told |= {"encoded": finished.encoded, "copied": finished.copied}
    told["elements"] = "\n".join(map(str, elements.values()))
    return stage_row(row["video"], "finish", frames=finished.frames, **clock.read(), **told)
