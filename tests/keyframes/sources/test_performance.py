"""A measured performance at another speed: what a gap is depends on how long it plays."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from keyframes.clock.instant import Instant
from keyframes.clock.timeline import even_timeline
from keyframes.problems import Place
from keyframes.sources.performance import MeasuredPerformance, PerformanceTable


def table_with_a_gap(gap_s: float) -> PerformanceTable:
    """AU values every 20 ms, of 0 to 2 s and, after the gap, for 2 s more."""
    before = np.arange(101) / 50
    times_s = np.concatenate([before, before + 2.0 + gap_s])
    return PerformanceTable(times_s, np.full((len(times_s), 12), 2.0), "table")


@pytest.mark.parametrize(
    ("gap_s", "speed", "bridged"),
    [(0.5, 1.0, False), (0.5, 2.0, True), (0.2, 1.0, True), (0.2, 0.5, False)],
)
def test_a_gap_is_bridged_by_how_long_it_plays_not_by_how_long_it_was(gap_s, speed, bridged):
    source = MeasuredPerformance(
        Place("p.yaml"), table_with_a_gap(gap_s), speed=speed, gap=Instant(seconds=0.3)
    )
    clip = even_timeline(10.0, Fraction(100))
    middle = np.array([(2.0 + gap_s / 2) / speed])
    presences = [sample.presence[0] for sample in source.samples(clip, middle)]
    assert len(presences) == 12
    assert all((presence == 1.0) == bridged for presence in presences)
    assert any("nothing measured" in line for line in source.warnings(clip)) != bridged
