"""What the stages share: their clocks, the sweeping of half-written files, names of work."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keyframes.clock.part import Part
from keyframes.clock.spans import Spans, within
from keyframes.sheet import KeyframeSheet
from pipeline.edit.segments import Span
from pipeline.inspected import bounds_of
from pipeline.media.read.inspection import Inspection
from pipeline.partials import sweep_partials
from pipeline.pictures import SECOND, times_of
from pipeline.rows import StageRow, VideoRow, stage_row
from pipeline.run_folder.own_curve import curve_of
from pipeline.run_folder.store import VideoFolder
from pipeline.run_folder.strikes import work_of
from pipeline.settings import RenderSettings


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


def wanted_frames(
    row: VideoRow, inspection: Inspection, render: RenderSettings | None
) -> NDArray[np.bool_]:
    """`(N,)` frames that have to be analysed, known from the curve alone; without one, all.

    Of a part of a clip, those in it; but people are looked for in all that their curve touches.

    Raises:
        KeyframeError: the curve, or the part, does not fit this clip, with the place.
    """
    if render is None:
        return np.ones(inspection.frames, bool)
    return touched_frames(curve_of(row, render), inspection, render.only)


def touched_frames(
    sheet: KeyframeSheet, inspection: Inspection, only: Part | None
) -> NDArray[np.bool_]:
    """The same of a curve.

    Raises:
        KeyframeError: as `wanted_frames`.
    """
    wanted = np.ones(inspection.frames, bool)
    first, last = bounds_of(inspection, only)
    if not sheet.people:
        wanted[:first] = wanted[last + 1 :] = False
    return wanted & reached(sheet.reach(inspection.timeline), inspection)


def reached(spans: Spans, inspection: Inspection) -> NDArray[np.bool_]:
    """`(N,)` frames that are shown within the spans, or whose second field would be."""
    times_s, frame = inspection.times_s, np.arange(inspection.frames)
    shown = within(spans, times_s)
    if inspection.info.interlaced or inspection.info.shows_fields:
        shown |= within(spans, times_of(times_s, frame, np.full(len(frame), SECOND)))
    return shown


def sweep(row: VideoRow) -> None:
    """Removes what processes that died left half-written, of this run and of others."""
    folder_of(row).sweep_orphans()
    sweep_partials(Path(row["output"]).parent)


def chunk_row(row: VideoRow, chunk: Span) -> StageRow:
    """Work still to do: a chunk to analyse."""
    bounds = {"first": chunk.first, "last": chunk.last, "frames": chunk.frames}
    return stage_row(row["video"], "inspect", chunk.number, **bounds)


def of_frames(stage: str, span: Span) -> tuple[str, str]:
    """The mark of work on a span's frames, and the same for people."""
    return work_of(stage, span.number), f"{stage} of frames {span.first}…{span.last}"
