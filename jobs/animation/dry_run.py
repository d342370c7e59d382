"""`--dry-run`: everything a run would check, and what it would do; nothing is written."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from jobs.animation.animation import Request
from jobs.command_line.options import AnimateOptions
from keyframes.au import AU_NAMES, AU_ORDER, AUIntensity
from pipeline.errors import PipelineError
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.write.containers import muxer_of


def describe(request: Request, options: AnimateOptions, screen: Console) -> int:
    """Prints one row per video; exit status 1 when a video could not be made."""
    table = Table(title=f"curve {request.sheet.name}, engine {options.engine}: nothing is written")
    for heading in ("input", "frames", "asked for", "AUs", "output"):
        table.add_column(heading, overflow="fold")
    failed = 0
    for video in request.videos:
        try:
            muxer_of(video["output"])
            inspection = inspect_video(video["source"])
        except PipelineError as error:
            failed += 1
            table.add_row(video["source"], "—", f"would fail: {error}", "", "")
            continue
        asked, units = _asked_for(request, inspection)
        table.add_row(video["source"], str(inspection.frames), asked, units, video["output"])
    screen.print(table)
    return 1 if failed else 0


def _asked_for(request: Request, inspection: Inspection) -> tuple[str, str]:
    """Frames with a delta and the AUs that move, taking every face as present and neutral."""
    neutral = AUIntensity(np.zeros((inspection.frames, len(AU_ORDER)), np.float32))
    active = np.zeros(inspection.frames, bool)
    moved = np.zeros(len(AU_ORDER), bool)
    for face in request.sheet.targets():
        delta = request.sheet.evaluate(inspection.timeline, neutral, face=face).delta
        active |= delta.active
        moved |= (delta.values != 0).any(axis=0)
    units = " ".join(name for name, moves in zip(AU_NAMES, moved, strict=True) if moves)
    return f"{int(active.sum())} frames", units
