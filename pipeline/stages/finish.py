"""Finish: pieces become an output that is verified and published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.delivery import deliver, place_of, ready_before, sending_s
from pipeline.edit.plan import read_plan
from pipeline.errors import PipelineError
from pipeline.inspected import bounds_of, inspection_of, part_of
from pipeline.media.read.inspection import (
    Inspection,
)
from pipeline.media.write.elements.publishing import elements_beside
from pipeline.media.write.mux import finish
from pipeline.media.write.shared_header import NotCopyableError
from pipeline.media.write.untouched import encoded_anew
from pipeline.pieces import (
    encode_settings,
    planned_pieces,
)
from pipeline.rows import StageRow, VideoRow, stage_row
from pipeline.run_folder.lease import check_claimed
from pipeline.run_folder.store import VideoFolder, write_done
from pipeline.run_folder.strikes import counted_start, whole_s, work_of
from pipeline.settings import RenderSettings
from pipeline.source import check_unchanged
from pipeline.stages.common import Stopwatch, folder_of, sweep

FINISHED_S = 0.5
"""Of a frame at the end: packets are joined, copied and verified, or, at worst, encoded there."""


def finish_stage(row: VideoRow, settings: RenderSettings) -> StageRow:
    """Joins the pieces, copies all other streams, verifies and publishes the output.

    Plan, segments, pieces and request are held against each other first, the source against what
    it was and the run's claim against the output's last; `done.json` lets a rerun skip the video.
    """
    folder = folder_of(row)
    check_unchanged(row["source"], row["identity"])
    inspection = inspection_of(row)
    limit_s = whole_s(inspection.frames, FINISHED_S, settings.stuck_after) + sending_s(row)
    with counted_start(folder, work_of("finish", 0), "joining its pieces", limit_s):
        return _finished(row, folder, inspection, settings)


def _finished(
    row: VideoRow, folder: VideoFolder, inspection: Inspection, settings: RenderSettings
) -> StageRow:
    clock, output, place = Stopwatch(), Path(row["output"]), str(place_of(row))
    encode = encode_settings(inspection, settings)
    pieces, names = planned_pieces(folder, row["request"], inspection, settings, encode)

    def check() -> None:
        check_unchanged(row["source"], row["identity"])
        if row["output"] == row["source"] or (output.exists() and output.samefile(row["source"])):
            raise PipelineError(f"{output}: is the input itself; footage is never overwritten")
        if row["run"]:
            check_claimed(output, row["run"])

    part = part_of(inspection, settings.only)
    what = part.labelled, part.index
    how: dict[str, Any] = {"replace": settings.overwrite or place != row["output"], "check": check}
    notes: list[str] = []
    finished = ready_before(row)
    strength = read_plan(folder.plan(row["request"])).strength(inspection.frames)
    shown = strength[slice(*np.add(bounds_of(inspection, settings.only), (0, 1)))]
    beside = (output, part.of_its_own, names, settings.elements, shown)
    with elements_beside(*beside, replace=settings.overwrite) as elements:
        try:
            finished = finished or finish(*what, pieces, place, encode, **how)
        except NotCopyableError as error:
            notes.append(f"frames without an edit were encoded, not copied: {error}")
            encoded = encoded_anew(pieces, folder.job_folder, *what, encode)
            alone = replace(encode, copies_untouched=False)
            finished = finish(*what, encoded, place, alone, **how)
        deliver(row, finished, replace=settings.overwrite)
    folder.sweep_job(row["request"])
    sweep(row)
    write_done(folder, output, row["request"])
    told: dict[str, Any] = {"notes": "\n".join((*notes, *finished.warnings))}
    told |= {"encoded": finished.encoded, "copied": finished.copied}
    told["elements"] = "\n".join(map(str, elements.values()))
    return stage_row(row["video"], "finish", frames=finished.frames, **clock.read(), **told)
