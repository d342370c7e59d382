"""What lies beside an output with `--plot`: AU curves as picture and table, and frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.interface import AUEstimator, FaceTracker
from keyframes.au import AUDelta
from keyframes.formats.rows.tables import performance_columns, write_table
from pipeline.edit.plan import plan_edits, read_plan
from pipeline.errors import PipelineError
from pipeline.faces.faces import Analysis
from pipeline.faces.recognise import recognise
from pipeline.faces.table import read_analysis
from pipeline.figures.beside import files_beside
from pipeline.figures.contact_sheet import contact_sheet
from pipeline.figures.curves import plot_performance
from pipeline.figures.donor_sheet import donor_sheet
from pipeline.files import published
from pipeline.inspected import bounds_of, inspection_of, part_of
from pipeline.media.read.inspection import inspect_video
from pipeline.media.write.side_by_side import write_side_by_side
from pipeline.quality.clip import frame_at, measure
from pipeline.rows import StageRow, VideoRow, stage_row
from pipeline.run_folder.own_curve import curve_of
from pipeline.settings import AnalysisSettings, RenderSettings
from pipeline.stages import Stopwatch, folder_of, wanted_frames

MOMENTS = 6
"""Columns of the contact sheet."""


def plot_stage(
    row: VideoRow,
    analysis: AnalysisSettings,
    settings: RenderSettings,
    tracker: FaceTracker,
    estimator: AUEstimator,
) -> StageRow:
    """Measures the output; what comes beside it is in `files_beside`."""
    clock = Stopwatch()
    output = Path(row["output"])
    folder = folder_of(row)
    whole, made = inspection_of(row), inspect_video(row["output"], row["view"])
    before = read_analysis(folder.analysis(analysis.digest))
    before = before.around(wanted_frames(row, whole, settings))
    source, bounds = part_of(whole, settings.only), bounds_of(whole, settings.only)
    lending, before = before, before.part(*bounds)
    after = measure(made, tracker, estimator, before).by_frame
    before = before.by_frame
    sheet = curve_of(row, settings)
    who = recognise(source, before, sheet)
    planned = plan_edits(source, before, sheet, settings.editor.crop_size, who)
    if not planned.requested:
        raise PipelineError("nobody whom the curve names is in it")
    face, requested = max(planned.requested.items(), key=lambda each: _amount(each[1]))
    measured, achieved = before.intensity_over_time(face), after.intensity_over_time(face)
    beside = files_beside(output)
    plot_performance(
        beside["plot"], source.timeline, requested, measured, achieved, title=output.name
    )
    with published(beside["table"]) as partial:
        write_table(partial, performance_columns(source.times_s, requested, measured, achieved))
    moments = choose_moments(requested, before, face)
    contact_sheet(
        beside["sheet"],
        [frame_at(source, m) for m in moments],
        [frame_at(made, m) for m in moments],
        [f"{source.times_s[m]:.2f} s" for m in moments],
        title=f"{output.name}: before and after",
        face_boxes=[box_at(before, face, m) for m in moments],
    )
    plan = read_plan(folder.plan(row["request"]))
    donor_sheet(beside["lent by other frames"], whole, made, lending, plan, bounds[0])
    write_side_by_side(beside["before and after"], source, made)
    return stage_row(row["video"], "plot", **clock.read())


def _amount(requested: AUDelta) -> float:
    """How much is asked of a face; among equals, the first is taken."""
    return float(np.abs(requested.values).sum())


def choose_moments(requested: AUDelta, analysis: Analysis, face: int) -> list[int]:
    """The frames of greatest change that show the face, some way apart from each other."""
    seen = analysis.frame[analysis.rows_of(face)]
    if not len(seen):
        seen = np.arange(analysis.frames)
    asked = np.hstack([requested.values, requested.lids])
    strength = np.abs(asked[seen]).sum(axis=1)
    apart = max(1, np.count_nonzero(strength) or len(seen)) / (2 * MOMENTS)
    chosen: list[int] = []
    for frame in seen[np.argsort(-strength, kind="stable")]:
        if all(abs(int(frame) - other) >= apart for other in chosen):
            chosen.append(int(frame))
        if len(chosen) == MOMENTS:
            break
    return sorted(chosen)


def box_at(analysis: Analysis, face: int, frame: int) -> NDArray[np.float32]:
    """`(4,)` a face's box in the nearest frame that has it; zeros where no frame has."""
    rows = analysis.rows_of(face)
    if not len(rows):
        return np.array([0, 0, 0, 0], np.float32)
    return analysis.box[rows[np.argmin(np.abs(analysis.frame[rows] - frame))]]
