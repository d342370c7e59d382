"""The curve of each video, where one job has many: kept in the run folder, named by its row.

Settings travel with every task, so they cannot hold the curves of thousands of videos; a row says
which one its own is, as it says of all else that the run folder keeps.
"""

from __future__ import annotations

import hashlib
import pickle
from functools import lru_cache
from pathlib import Path

from keyframes.sheet import KeyframeSheet
from pipeline.errors import PipelineError
from pipeline.files import published
from pipeline.rows import VideoRow
from pipeline.settings import RenderSettings

KEPT = "curves"
"""The folder of curves in a run folder."""
READ = 16
"""Curves that a process keeps read; a video's segments come one after the other."""


def keep_curve(sheet: KeyframeSheet, work: Path) -> str:
    """Keeps a curve in a run folder, with all that was measured for it; where it lies.

    Raises:
        OSError: the folder cannot be written.
    """
    content = pickle.dumps(sheet)
    path = work / KEPT / f"{hashlib.sha256(content).hexdigest()}.curve"
    if not (path.is_file() and path.read_bytes() == content):
        with published(path) as partial:
            partial.write_bytes(content)
    return str(path)


def curve_of(row: VideoRow, settings: RenderSettings) -> KeyframeSheet:
    """A video's own curve, else the one of all videos.

    Raises:
        PipelineError: there is none, or what was kept is not there as it was.
    """
    if row["curve"]:
        return kept_curve(row)
    if settings.sheet is None:
        raise PipelineError(f"{row['source']}: neither its row nor the job has a curve")
    return settings.sheet


def kept_curve(row: VideoRow) -> KeyframeSheet:
    """The curve that a row names.

    Raises:
        PipelineError: it is not there as it was.
    """
    return _read(row["curve"])


@lru_cache(maxsize=READ)
def _read(place: str) -> KeyframeSheet:
    """Nothing is unpickled but the very bytes that the run which made the row has written."""
    path = Path(place)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise PipelineError(f"{path}: is not the curve that this run kept there; run again")
    return pickle.loads(content)
