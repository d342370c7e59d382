"""The kept inspection of a row's video, as the row says it is shown."""

from __future__ import annotations

from keyframes.clock.part import Part
from pipeline.media.read.inspection import Inspection, read_inspection
from pipeline.rows import VideoRow
from pipeline.run_folder.store import VideoFolder


def inspection_of(row: VideoRow) -> Inspection:
    """What `inspect_stage` found out of a video.

    Raises:
        MediaError: it is not there or damaged.
    """
    return read_inspection(row["source"], VideoFolder.of(row).inspection, row["view"])


def part_of(inspection: Inspection, only: Part | None) -> Inspection:
    """What is made of a clip: all of it, or the part that is asked for, on the clip's clock.

    Raises:
        KeyframeError: no frame of the clip lies in it.
    """
    return inspection if only is None else inspection.part(*only.frames(inspection.timeline))


def bounds_of(inspection: Inspection, only: Part | None) -> tuple[int, int]:
    """First and last frame (inclusive) of that.

    Raises:
        KeyframeError: no frame of the clip lies in it.
    """
    whole = 0, inspection.frames - 1
    return whole if only is None else only.frames(inspection.timeline)
