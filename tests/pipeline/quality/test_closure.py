"""Shut eyes in a verdict: asked against seen."""

import numpy as np
import pytest

from keyframes.au import AUDelta, AUIntensity
from pipeline.quality.closure import closure_finding, closure_readings
from pipeline.quality.question import strongest_frame

ASKED = np.float32([0, 0, 2, 5, 5, 5, 2, 0])


def found(left, seen, before=0.5):
    """The finding of the left eye, shut as far as `seen` of what is asked."""
    units = np.zeros((8, 12), np.float32)
    lids = np.stack([np.zeros(8, np.float32), left], axis=1)
    measured = np.full((8, 2), before, np.float32)
    achieved = np.clip(measured + seen * lids, 0, 5).astype(np.float32)
    readings = closure_readings(
        AUDelta(units, lids), AUIntensity(units, measured), AUIntensity(units, achieved)
    )
    (reading,) = readings
    return closure_finding(reading)


@pytest.mark.parametrize(
    ("seen", "mark", "word"),
    [(1.0, "pass", "made."), (0.3, "warn", "made in part"), (0.0, "warn", "hardly made")],
)
def test_an_eye_that_stays_open_is_told(seen, mark, word):
    finding = found(ASKED, seen)
    assert (finding.key, finding.mark) == ("AU43L", mark)
    assert finding.text.startswith("AU43L left eye shut: asked +5.0, seen ")
    assert word in finding.text
    assert (finding.excess > 1) == (mark == "warn")


def test_an_eye_that_was_shut_already_is_not_held_against_the_edit():
    finding = found(ASKED, 1.0, before=4.9)
    assert finding.mark == "none"
    assert "nothing left to change" in finding.text
    assert found(-ASKED / 2, 1.0, before=4.0).mark == "pass"
    unseen = found(ASKED, 1.0, before=np.nan)
    assert (unseen.mark, unseen.figure) == ("none", "—")


def test_no_eye_is_judged_that_nothing_is_asked_of_and_a_blink_has_a_strongest_frame():
    units = np.zeros((8, 12), np.float32)
    nothing = AUIntensity(units, np.zeros((8, 2), np.float32))
    assert closure_readings(AUDelta(units), nothing, nothing) == []
    lids = np.stack([ASKED, np.zeros(8, np.float32)], axis=1)
    assert strongest_frame(AUDelta(units, lids)) == 4
