"""Inspect: headers and packets are read, and what is to be analysed is counted out."""

from __future__ import annotations

from pathlib import Path

from pipeline.edit.segments import Span, plan_chunks
from pipeline.faces.table import read_covered
from pipeline.inspected import inspection_of, part_of
from pipeline.media.read.decoding.reader import check_reader
from pipeline.media.read.inspection import (
    Inspection,
    inspect_video,
    write_inspection,
)
from pipeline.media.views.flat import flat_told
from pipeline.media.write.check import check_output
from pipeline.media.write.elements.check import check_elements
from pipeline.pieces import (
    encode_settings,
)
from pipeline.rows import StageRow, VideoRow, stage_row
from pipeline.settings import AnalysisSettings, RenderSettings
from pipeline.source import check_unchanged
from pipeline.stages.common import Stopwatch, chunk_row, folder_of, sweep, wanted_frames


def inspect_stage(
    row: VideoRow, settings: AnalysisSettings, render: RenderSettings | None = None
) -> list[StageRow]:
    """Reads headers and packets; gives one row for the video and one per chunk to analyse first.

    Args:
        render: of a run that will write: what it could not is refused here, before any work.
    """
    clock = Stopwatch()
    sweep(row)
    check_unchanged(row["source"], row["identity"])
    inspection = _inspection(row)
    info = inspection.info
    check_reader(row["source"], info, inspection.index, settings.reader)
    told, shown = list[str](), part_of(inspection, render and render.only)
    if render is not None:
        encode, made = encode_settings(inspection, render), shown.of_its_own
        told += check_output(info, encode, row["output"], made.index)
        told += check_elements(made, render.elements, Path(row["output"]), Path(row["work"]))
        told += filter(None, [render.only and render.only.beyond(inspection.timeline)])
    rows = [chunk_row(row, c) for c in _chunks_to_do(row, inspection, settings, render)]
    summary = stage_row(
        row["video"],
        "inspect",
        frames=shown.frames,
        **clock.read(),
        notes="\n".join((*info.warnings, *flat_told(info), *inspection.index.notes, *told)),
    )
    return [summary, *rows]


def _inspection(row: VideoRow) -> Inspection:
    """The kept inspection of exactly this source, made where there is none."""
    path = folder_of(row).inspection
    if not path.is_file():
        inspection = inspect_video(row["source"], row["view"])
        check_unchanged(row["source"], row["identity"])
        write_inspection(path, inspection)
    return inspection_of(row)


def _chunks_to_do(
    row: VideoRow, inspection: Inspection, settings: AnalysisSettings, render: RenderSettings | None
) -> list[Span]:
    """Those that hold wanted frames; what else their shots need is found with what is in them."""
    folder, wanted = folder_of(row), wanted_frames(row, inspection, render)
    covered = read_covered(folder.analysis(settings.digest))
    if covered is not None and covered[wanted].all():
        return []
    touched = [
        c for c in plan_chunks(inspection.index.is_key) if wanted[c.first : c.last + 1].any()
    ]
    return [c for c in touched if not folder.chunk(settings.digest, c.first, c.last).is_file()]
