"""What the stages share: their clocks, the sweeping of half-written files, names of work."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pipeline.edit.segments import Span
from pipeline.partials import sweep_partials
from pipeline.rows import VideoRow
from pipeline.store import VideoFolder
from pipeline.strikes import work_of


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


def sweep(row: VideoRow) -> None:
    """Removes what processes that died left half-written, of this run and of others."""
    folder_of(row).sweep_orphans()
    sweep_partials(Path(row["output"]).parent)


def of_frames(stage: str, span: Span) -> tuple[str, str]:
    """The mark of work on a span's frames, and the same for people."""
    return work_of(stage, span.number), f"{stage} of frames {span.first}…{span.last}"
