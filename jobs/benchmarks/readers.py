"""The analysis pass's two readers on the same frames, in turn."""

from __future__ import annotations

import statistics
import time
from typing import Any

from pipeline.errors import MediaError
from pipeline.media.read.decoding.reader import analysis_frames, choose_reader
from pipeline.media.read.inspection import Inspection

FRAMES = 256
"""Read of a clip at most."""


def measure_readers(seen: Inspection, rounds: int) -> dict[str, Any]:
    """CPU ms per frame of both readers, opening included; for decord, why not where it cannot."""
    frames = min(FRAMES, seen.frames)
    spent: dict[str, list[float]] = {"av": [], "decord": []}
    try:
        choose_reader("decord")
        for _ in range(rounds):
            for name, seconds in spent.items():
                seconds.append(_cpu_s(seen, frames, name))
    except MediaError as error:
        spent["av"] = [_cpu_s(seen, frames, "av") for _ in range(rounds)]
        return {"frames": frames, "av": _ms(spent["av"], frames), "decord": str(error)}
    measured = {name: _ms(seconds, frames) for name, seconds in spent.items()}
    gain = round(measured["av"] / measured["decord"], 3)
    return {"frames": frames, **measured, "gain_of_decord": gain}


def _ms(seconds: list[float], frames: int) -> float:
    return round(1e3 * statistics.median(seconds) / frames, 3)


def _cpu_s(seen: Inspection, frames: int, reader: Any) -> float:
    begun = time.process_time()
    for _ in analysis_frames(seen.info.path, seen.info, seen.index, 0, frames - 1, reader=reader):
        pass
    return time.process_time() - begun
