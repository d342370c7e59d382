"""Poses on clips: what cannot be is an error with its place, what is cut off is said."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from keyframes.au import AUIntensity
from keyframes.clock.timeline import even_timeline
from keyframes.load import inspect_sheet, parse_sheet


def warnings_of(more: str, duration_s: float) -> list[str]:
    clip = even_timeline(duration_s, Fraction(25))
    measured = AUIntensity(np.zeros((len(clip.times_s), 12), np.float32))
    sheet = parse_sheet(f"version: 1\npose: 12E\n{more}\n", "p.yaml")
    return list(sheet.evaluate(clip, measured).warnings)


def test_an_apex_that_runs_past_the_end_is_said() -> None:
    (said,) = warnings_of("apex: 4s", 3)
    assert said == "p.yaml:3:7: apex: an apex runs to 4.5 s, past the end (the clip has 3 s)"
    assert warnings_of("apex: 1s", 3) == []


def test_a_start_too_late_and_an_offset_that_is_cut_off_are_said() -> None:
    (late,) = warnings_of("start: 5s", 3)
    assert "p.yaml:3:8: start: a pose starts at 5 s, after the clip" in late
    (cut,) = warnings_of("apex: 2s\noffset: 2s", 3)
    assert "an offset runs to 4.5 s, past the end" in cut


def test_an_end_before_the_start_on_every_clip_is_an_error_of_the_file() -> None:
    sheet, problems = inspect_sheet("version: 1\npose: 12E\nstart: 2s\nend: 1s\n", "p.yaml")
    assert sheet is None
    assert [str(p) for p in problems] == ["p.yaml:4:6: end: end 1s is before start 2s"]


@pytest.mark.parametrize(("line", "said"), [
    ("intensity: 60%", "60% is intensity 0.6 on a scale of 0 to 5; for that share of the scale "
     "write 3"),
    ("onset: 500", "500 is 500 seconds; write 500ms or 500s"),
])  # fmt: skip
def test_slips_of_a_unit_are_warned_about(line: str, said: str) -> None:
    sheet, problems = inspect_sheet(f"version: 1\npose: 12E\n{line}\n", "p.yaml")
    assert sheet is not None
    assert [p.message for p in problems] == [said]
    assert not problems[0].is_error
