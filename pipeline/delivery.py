"""An output on its way into a store: finished in the run folder first, so only sending repeats.

Where the sending was cut off, the next run finds the output whole, with what is told of it, and
sends it from whatever node. An output on a file system is published as soon as it is whole.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.errors import StorageError
from pipeline.files import publish, read_json, sha256_of, write_json
from pipeline.media.write.mux import FinishedVideo
from pipeline.rows import VideoRow
from pipeline.run_folder.store import VideoFolder
from pipeline.source import Identity
from pipeline.storage.copies import shrink
from pipeline.storage.urls import root_of, url_of

SENT_S = 1e-6
"""Of a byte: what sending may take, before it counts as hung."""


def place_of(row: VideoRow) -> Path:
    """Where a row's output is finished: at its own place, or in the run folder to be sent."""
    output = Path(row["output"])
    if url_of(output) is None:
        return output
    return VideoFolder.of(row).ready(row["request"], output.suffix)


def sending_s(row: VideoRow) -> float:
    """Seconds that sending an output may take beside the work on it."""
    return SENT_S * Identity.parse(row["identity"]).size if url_of(row["output"]) else 0.0


def ready_before(row: VideoRow) -> FinishedVideo | None:
    """What an earlier run has finished and not sent; None where there is nothing, or not whole."""
    place = place_of(row)
    known: Any = read_json(_note(row)) if url_of(row["output"]) else None
    if not isinstance(known, dict) or not place.is_file() or sha256_of(place) != known["sha256"]:
        return None
    told = {**known["told"], "warnings": tuple(known["told"]["warnings"])}
    return FinishedVideo(**told)


def deliver(row: VideoRow, finished: FinishedVideo, *, replace: bool) -> None:
    """Sends what lies finished in the run folder; what stands at its own place is there already.

    Raises:
        FileExistsError: an object stands there, and `replace` is off.
        StorageError: what the store complains of; the next run sends it again.
    """
    place = place_of(row)
    if place == Path(row["output"]):
        return
    if not _note(row).is_file():
        write_json(_note(row), {"sha256": sha256_of(place), "told": asdict(finished)})
    output = Path(row["output"])
    try:
        publish(place, output, replace=replace)
    except StorageError as error:
        raise StorageError(f"{error}; it is finished and kept: the same call sends it") from error
    shrink(root_of(output), row["cache"])


def _note(row: VideoRow) -> Path:
    return VideoFolder.of(row).ready(row["request"], ".json")
