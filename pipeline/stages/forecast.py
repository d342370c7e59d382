"""How much of a clip will have to be measured: known exactly only where its shots end."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from pipeline.edit.segments import Span, plan_chunks
from pipeline.faces.chunks import read_signatures
from pipeline.faces.cuts import signature
from pipeline.faces.stretches import closed_stretches
from pipeline.faces.table import read_covered
from pipeline.media.read.decoding.reader import analysis_frames
from pipeline.media.read.inspection import Inspection
from pipeline.pictures import SECOND
from pipeline.run_folder.store import VideoFolder


def frames_to_measure(
    inspection: Inspection,
    wanted: NDArray[np.bool_],
    folder: VideoFolder,
    digest: str,
    until: float,
) -> tuple[int, bool]:
    """Frames that are still to be measured, so that each shot with a wanted one is whole.

    As the stage of analysis finds them, but that pictures are only looked at, not measured.

    Args:
        wanted: `(N,)` frames that the curve touches.
        digest: of the analysis.
        until: on `time.monotonic`; what is found by then counts, and there may be more.
    Returns:
        how many; and whether that is all.
    """
    covered = read_covered(folder.analysis(digest))
    if covered is not None and covered[wanted].all():
        return 0, True
    chunks = plan_chunks(inspection.index.is_key)
    kept = {c.number: folder.chunk(digest, c.first, c.last) for c in chunks}
    seen = {number: read_signatures(path) for number, path in kept.items() if path.is_file()}
    new, is_all = _missing(inspection, chunks, dict(seen), wanted, until)
    return sum(chunks[number].frames for number in new), is_all


def _missing(
    inspection: Inspection,
    chunks: list[Span],
    seen: dict[int, NDArray[np.uint8]],
    wanted: NDArray[np.bool_],
    until: float,
) -> tuple[set[int], bool]:
    """Numbers of chunks, looked at one by one outward from the wanted frames."""
    bounds, new = [(c.first, c.last) for c in chunks], set[int]()
    while missing := closed_stretches(bounds, seen, wanted)[1]:
        new.update(missing)
        if wanted.all():
            return new, True
        for number in missing:
            if time.monotonic() > until:
                return new, False
            seen[number] = _signatures(inspection, chunks[number])
    return new, True


def _signatures(inspection: Inspection, chunk: Span) -> NDArray[np.uint8]:
    info, index = inspection.info, inspection.index
    shown = analysis_frames(info.path, info, index, chunk.first, chunk.last)
    return np.stack([signature(picture.rgb) for picture in shown if picture.field != SECOND])
