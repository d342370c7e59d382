"""The kept inspection of a row's video, as the row says it is shown."""

from __future__ import annotations

from pipeline.media.read.inspection import Inspection, read_inspection
from pipeline.rows import VideoRow
from pipeline.store import VideoFolder


def inspection_of(row: VideoRow) -> Inspection:
    """What `inspect_stage` found out of a video.

    Raises:
        MediaError: it is not there or damaged.
    """
    return read_inspection(row["source"], VideoFolder.of(row).inspection, row["view"])
