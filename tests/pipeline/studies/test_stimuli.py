"""Stimuli: timed by a curve, written, and read back from their own frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from engines.choice import resolve
from keyframes.au import AU_COLUMN, AUIntensity
from keyframes.clock.timeline import Timeline
from keyframes.load import parse_sheet
from pipeline.errors import PipelineError
from pipeline.media.read.inspection import inspect_video
from pipeline.settings import AnalysisSettings
from pipeline.studies.design import NEUTRAL, Cell
from pipeline.studies.identities import find_identities
from pipeline.studies.methods import methods
from pipeline.studies.shares import rows_of
from pipeline.studies.stimuli import StimuliSettings, Timing, apex_figures, read_timing

RATE = Fraction(25)
VERSIONS = dict.fromkeys(("aureel", "python", "numpy", "opencv-python-headless", "av"), "9.9")


def test_a_timing_is_read_in_any_order_in_seconds_or_frames():
    timing = read_timing("apex=1s, onset=500ms, offset=10f, before=0.2s", RATE)
    assert timing == Timing(onset=0.5, apex=1.0, offset=0.4, before=0.2)
    assert timing.total_s == pytest.approx(2.1)
    assert timing.apex_s == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("onset=500ms,apex=1s", "offset is missing"),
        ("onset=500ms,apex=1s,peak=1s", "got 'peak=1s'"),
        ("onset=1s,onset=2s,apex=1s,offset=1s", "got 'onset=2s'"),
        ("onset=soon,apex=1s,offset=1s", "is not understood"),
        ("onset=0s,apex=1s,offset=1s", "take time; got 0"),
        ("onset=10%,apex=1s,offset=1s", "a share of what is not known yet"),
        ("onset=1s,apex=90s,offset=1s", "at most 60"),
    ],
)
def test_a_timing_that_cannot_be_meant_is_refused_in_a_line(text: str, says: str):
    with pytest.raises(PipelineError, match=says.replace("(", "\\(")):
        read_timing(text, RATE)


def test_a_stimulus_is_asked_for_frame_by_frame_as_its_timing_says():
    timing = read_timing("before=200ms,onset=400ms,apex=400ms,offset=200ms,after=200ms", RATE)
    delta = Cell.of({12: 4, 1: 2}).delta("delta", np.zeros(12))
    times = np.arange(35) / 25
    sheet = parse_sheet(timing.curve(delta, "linear"), "stimulus")
    asked = sheet.deltas(
        Timeline(times, timing.total_s, RATE), AUIntensity(np.zeros((35, 12), np.float32))
    ).values
    ramp = np.interp(times, [0.2, 0.6, 1.0, 1.2], [0.0, 1.0, 1.0, 0.0])
    assert asked[:, AU_COLUMN[12]] == pytest.approx(4 * ramp, abs=1e-4)
    assert asked[:, AU_COLUMN[1]] == pytest.approx(2 * ramp, abs=1e-4)
    assert np.count_nonzero(asked.any(axis=0)) == 2


@pytest.mark.parametrize("form", ["video", "still"])
def test_a_smile_comes_stays_and_goes_and_its_paragraph_has_its_numbers(
    tmp_path: Path, work: Path, form
):
    engines = [resolve(kind, name) for kind, name in
               (("tracker", "mesh"), ("AU estimator", "mesh"), ("editor", "previz"))]  # fmt: skip
    settings = StimuliSettings(
        AnalysisSettings(*engines[:2]), engines[2], (NEUTRAL, Cell.of({12: 4})), "target",
        Timing(0.08, 0.12, 0.08), RATE, form, "linear", 7, str(tmp_path / "out"),
    )  # fmt: skip
    (drawn,) = find_identities("synthetic", 1)
    loaded = [engine.make() for engine in engines]
    stimuli = []
    for share in settings.shares(drawn, work):
        settings.run(share, *loaded)
        stimuli += rows_of(share) or []
    neutral, smile = stimuli
    apex = apex_figures(smile, settings.timing.apex_s)
    assert apex["asked"] == pytest.approx([4 - smile["measured"][AU_COLUMN[12]]], abs=1e-4)
    assert apex["achieved"][0] > 2.0
    path = tmp_path / "out" / smile["file"]
    if form == "video":
        assert (path.name, len(smile["time_s"])) == ("AU12=D.mp4", 7)
        assert inspect_video(str(path)).times_s == pytest.approx(smile["time_s"], abs=1e-5)
        read = [row[AU_COLUMN[12]] for row in smile["achieved"]]
        assert read[0] < 0.5
        assert max(read[2:5]) - min(read[2:5]) < 0.4
    else:
        assert (path.name, smile["time_s"]) == ("AU12=D.png", [0.14])
    assert max(row[AU_COLUMN[12]] for row in neutral["achieved"]) < 0.3
    text = methods(settings, stimuli, 1, "drawn people", VERSIONS)
    for words in (
        "aureel 9.9",
        "editor previz",
        "seed 7",
        "NumPy 9.9",
        "AU12",
        "level",
        "1 stimuli",
    ):
        assert words in text
    change = apex["achieved"][0] - apex["measured"][0]
    assert f"was {change:.2f} (SD 0.00)" in text
    assert "not an independent measure" in text
    assert ("onset 80 ms" in text) == (form == "video")
