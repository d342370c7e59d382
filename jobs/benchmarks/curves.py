"""How fast a big curve bakes: `--rounds` times, half the keys beside all of them."""

from __future__ import annotations

import resource
import statistics
import time
from fractions import Fraction
from typing import Any

import numpy as np

from keyframes.au import AU_NAMES, AU_ORDER, AUIntensity
from keyframes.clock.timeline import Timeline
from keyframes.load import parse_sheet
from keyframes.sheet import KeyframeSheet

HOUR_S = 3600.0
RATE = 60


def measure_curves(rounds: int) -> dict[str, Any]:
    """CPU seconds for 12 channels × 1,000 keys over 1 h at 60 fps, and for half the keys."""
    timeline = Timeline(np.arange(int(HOUR_S * RATE)) / RATE, HOUR_S, Fraction(RATE))
    measured = AUIntensity.level(len(timeline.times_s))
    whole, half = _sheet(1000), _sheet(500)
    seconds = {"1000": list[float](), "500": list[float]()}
    for _ in range(rounds):
        seconds["1000"].append(_cpu_s(whole, timeline, measured))
        seconds["500"].append(_cpu_s(half, timeline, measured))
    medians = {keys: round(statistics.median(times), 3) for keys, times in seconds.items()}
    return {
        "channels": len(AU_ORDER),
        "frames": len(timeline.times_s),
        "cpu_seconds_by_keys": medians,
        "ratio": round(medians["1000"] / medians["500"], 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _sheet(keys: int) -> KeyframeSheet:
    rng = np.random.default_rng(0)
    times = np.linspace(0.0, HOUR_S, keys)
    rows = [
        f"  {name}: [{', '.join(f'[{t:.3f}s, {rng.uniform(0, 5):.2f}]' for t in times)}]"
        for name in AU_NAMES
    ]
    return parse_sheet("version: 1\nchannels:\n" + "\n".join(rows) + "\n", "benchmark")


def _cpu_s(sheet: KeyframeSheet, timeline: Timeline, measured: AUIntensity) -> float:
    begun = time.process_time()
    sheet.deltas(timeline, measured)
    return time.process_time() - begun
