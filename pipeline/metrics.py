"""What a job counts for Ray's metrics, where a cluster collects them; names in docs/cluster.md.

The Ray of one machine alone has nobody who collects: it says so, and nothing is made or sent there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from pipeline.rows import WHOLE_VIDEO, StageRow, is_still_to_do

ALONE = "AUREEL_RAY_ALONE"
"""Environment of a Ray whose metrics nobody collects."""
COUNTERS = {
    "aureel_frames": "frames that a stage has done",
    "aureel_pieces": "chunks analysed and segments rendered",
    "aureel_videos": "videos that a stage has done",
    "aureel_failures": "rows that ended with an error",
    "aureel_worker_seconds": "time that a stage took in its workers",
    "aureel_editor_busy_seconds": "time that an editor's networks ran, of one actor",
    "aureel_crops": "crops edited, without what fills a batch up",
    "aureel_crop_places": "places in the batches that editors were given",
}
OF_ACTORS = ("aureel_editor_busy_seconds", "aureel_crops", "aureel_crop_places")

Count = Callable[[str, float, str], None]
"""Adds to a counter: its name, how much, the stage."""


def counter() -> Count | None:
    """What counts here; None where nobody collects."""
    return None if os.environ.get(ALONE) else _add


def _add(name: str, value: float, stage: str) -> None:
    if value > 0:
        _made()[name].inc(value, {"stage": stage})


@cache
def _made() -> dict[str, Any]:
    from ray.util.metrics import Counter

    return {name: Counter(name, told, ("stage",)) for name, told in COUNTERS.items()}


def count_row(count: Count, row: StageRow) -> None:
    """Counts a verdict that has reached the driver; a piece that was there before is none."""
    stage = row["stage"]
    if is_still_to_do(row):
        return
    if row["error"]:
        count("aureel_failures", 1, stage)
        return
    if row["number"] == WHOLE_VIDEO:
        count("aureel_videos", 1, stage)
    elif row["seconds"]:
        count("aureel_pieces", 1, stage)
        count("aureel_frames", row["frames"], stage)
    count("aureel_worker_seconds", row["seconds"], stage)


class ActorCounts:
    """Counts what an actor's editor has done since it was asked last."""

    def __init__(self, count: Count | None) -> None:
        self._count = count
        self._told = dict.fromkeys(OF_ACTORS, 0.0)

    def tell(self, busy_s: float, crops: int, places: int) -> None:
        """Tells how far it is by now; a renewed editor begins at nothing."""
        if self._count is None:
            return
        for name, now in zip(OF_ACTORS, (busy_s, crops, places), strict=True):
            before = self._told[name]
            self._count(name, now - before if now >= before else now, "render")
            self._told[name] = now
