"""Whole shots judged: one untouched, one edited, one spoiled on purpose."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from keyframes.au import AU_COLUMN, AUIntensity
from keyframes.load import parse_sheet
from pipeline.edit.plan import plan_edits
from pipeline.errors import PipelineError
from pipeline.faces.align import SIDE_MAX
from pipeline.quality import lent
from pipeline.quality.clip import Clip, check_same_shot
from pipeline.quality.evaluate import ShotVerdict, evaluate_shot
from pipeline.quality.floor import FRAMES, encoder_floor
from pipeline.quality.gains import Gain, known_gain, known_leaks
from pipeline.quality.lent import lent_findings
from pipeline.quality.question import Question, requested_of
from pipeline.quality.shot import LEAST, STILLS, crop_side
from pipeline.quality.told import as_json
from pipeline.quality.verdict import WORST, au_finding, cross_talk_finding, worst_first
from tests.pipeline.conftest import SMILE

ASKED = Question(SMILE, editor="previz", encode_preset="veryfast")


@pytest.fixture(scope="module")
def nothing_done(plate: Clip, untouched: Clip) -> ShotVerdict:
    return evaluate_shot(plate, untouched, replace(ASKED, editor="identity", sheet=None))


@pytest.fixture(scope="module")
def ruined(plate: Clip, spoiled: Clip) -> ShotVerdict:
    return evaluate_shot(plate, spoiled, replace(ASKED, sheet=None))


def marks(verdict: ShotVerdict) -> dict[str, str]:
    return {finding.key: finding.mark for finding in verdict.findings}


def test_a_shot_that_was_only_encoded_again_passes_everything(nothing_done: ShotVerdict):
    assert nothing_done.warnings == 0, [f.text for f in nothing_done.findings if f.mark == "warn"]
    assert nothing_done.identity.worst < 0.2
    assert np.nanmedian(nothing_done.series.background) < 0.02
    assert np.isnan(nothing_done.au_mse), "no curve, no error of units"
    assert not nothing_done.readings


def test_a_smile_is_read_in_its_unit_and_seen_at_the_mouth(smile: ShotVerdict):
    (reading,) = smile.readings
    assert reading.au == 12
    asked = np.flatnonzero(smile.requested.values.any(axis=1))
    leads = {f.key: f.frame for f in smile.findings if f.key in ("AU12", "au_error", "expression")}
    assert set(leads.values()) <= set(asked.tolist()), "each leads to a moment that asks for it"
    assert reading.asked == 4
    assert reading.read > 0.5
    assert 0.15 < reading.share_moved < 1.3
    heat = smile.series.heat
    assert heat[128:230].mean() > 2 * heat[:100].mean(), "the mouth, not the forehead"
    assert marks(smile)["outside"] == "pass"
    assert np.nanmax(smile.moved[:, AU_COLUMN[6]], initial=-9) == -9, "AU6 was not asked for"


def test_an_editor_that_moves_what_the_estimator_reads_is_called_so(smile: ShotVerdict):
    text = next(f.text for f in smile.findings if f.key == "AU12")
    assert "self-measured" in text
    assert as_json(smile)["self_measured"] is True
    judged = replace(ASKED, estimator="libreface")
    assert not judged.is_self_measured


def test_a_spoiled_shot_is_caught_in_each_way_it_was_spoiled(ruined: ShotVerdict):
    found = marks(ruined)
    assert found["outside"] == "warn"
    assert ruined.series.outside_at[0] < 32
    assert ruined.series.outside_at[1] < 32
    assert found["flicker"] == "warn"
    assert found["background"] == "warn"
    assert found["seam"] == "warn", ruined.series.seam


def test_no_embedding_leaves_memory(smile: ShotVerdict):
    assert len(smile.series.plate) > 3
    text = json.dumps(as_json(smile))
    assert len(text) < 60_000
    kept = as_json(smile)
    assert not {"plate", "edit", "others"} & {*kept, *kept["frames"]}
    assert not any(isinstance(v, list) and len(v) == 128 for v in kept["frames"].values())


def test_the_series_say_nothing_where_nothing_was_seen(smile: ShotVerdict, plate: Clip):
    series = smile.series
    assert np.isnan(series.warp_before[0]), "the first frame follows none"
    looked = np.isfinite(series.identity)
    assert 4 <= looked.sum() < plate.frames / 2
    assert 1 <= len(series.stills) <= STILLS
    kept = as_json(smile)["frames"]["identity"]
    assert kept.count(None) == plate.frames - looked.sum()


def test_the_floor_is_the_encoders_and_a_coarser_encoder_has_a_higher_one(plate: Clip):
    floor = encoder_floor(plate.inspection, plate.analysis, 19, "veryfast")
    assert floor.frames == min(FRAMES, plate.frames)
    assert 0 < floor.background < 0.02
    assert 0 < floor.worst_block < 12


def test_another_shot_is_refused_in_one_line(plate: Clip):
    index = plate.inspection.index
    arrays = {name: getattr(index, name)[:-1] for name in ("pts", "duration", "is_key")}
    shorter = replace(plate.inspection, index=replace(index, **arrays))
    with pytest.raises(PipelineError, match=r"frames 37; expected 38"):
        check_same_shot(plate.inspection, shorter)


@pytest.mark.parametrize(
    ("asked", "reachable", "read", "moved", "says", "mark"),
    [
        (3.0, 3.0, 2.4, 2.6, "made; 80 % of it was read", "pass"),
        (3.0, 0.6, 0.6, 2.46, "the estimator is at its upper end", "pass"),
        (3.0, 3.0, 0.9, 0.9, "made in part; 30 % of it was read", "warn"),
        (3.0, 3.0, 0.1, 0.0, "hardly made", "warn"),
        (-3.0, -1.0, -1.0, -2.9, "the estimator is at 0", "pass"),
        (3.0, 3.0, -1.5, -1.0, "went the other way", "warn"),
    ],
)
def test_a_unit_is_told_in_words(
    smile: ShotVerdict,
    asked: float,
    reachable: float,
    read: float,
    moved: float,
    says: str,
    mark: str,
):
    reading = replace(smile.readings[0], asked=asked, reachable=reachable, read=read, moved=moved)
    finding = au_finding(reading, is_judge_own=False)
    assert says in finding.text
    assert finding.mark == mark
    assert f"by geometry {100 * moved / asked:.0f} % of what was asked moved" in finding.text


def test_a_unit_that_its_estimator_hardly_reads_is_judged_by_geometry(smile: ShotVerdict):
    reading = replace(smile.readings[0], asked=3.0, reachable=3.0, read=0.1, moved=2.4)
    assert au_finding(replace(reading, moved=0.3), is_judge_own=False).mark == "warn"
    blind = Gain(read=0.05, made_read=0.03, made_moved=0.7)
    finding = au_finding(reading, is_judge_own=False, known=blind, editor="previz")
    assert finding.mark == "pass"
    assert "hardly reads this unit, whoever makes it (5 % of one that is drawn)" in finding.text
    assert "Known gain of previz on drawn faces: 70 % by geometry, 3 % as read" in finding.text
    loud = replace(reading, read=2.9, moved=0.3)
    assert au_finding(loud, is_judge_own=False, known=blind).mark == "warn", "noise, not proof"


def test_what_an_estimator_reads_of_any_smile_is_not_held_against_the_edit():
    """A drawn AU12 of 3 is read as AU17 of 3.1."""
    leaks = known_leaks("mesh", {12: 3.0, 6: 1.5})
    assert leaks[17] == pytest.approx(3.1, abs=0.4)
    finding = cross_talk_finding({17: 1.8, 4: 0.2}, 5, leaks)
    assert (finding.mark, finding.frame) == ("pass", 5)
    assert "AU17 +1.8 is what the estimator reads of such a face" in finding.text
    assert cross_talk_finding({17: 1.8}).mark == "warn"
    assert cross_talk_finding({17: -1.8}, 5, leaks).mark == "warn", "the other way is no leak"
    beyond = cross_talk_finding({17: leaks[17] + 1.4}, 5, leaks)
    assert (beyond.mark, beyond.figure) == ("warn", "AU17 +1.4")
    assert known_leaks("mesh", {12: -3.0})[17] == 0.0
    assert known_leaks("libreface", {12: 3.0}) == {}


def test_the_known_gains_are_of_engines_that_were_measured():
    gain = known_gain("mesh", "previz", 12)
    assert None not in (gain.read, gain.made_read, gain.made_moved)
    assert known_gain("mesh", "magicface", 12).made_moved is None
    assert known_gain("libreface", "previz", 12) == Gain()


def test_the_worst_is_what_is_furthest_beyond_its_limit(ruined: ShotVerdict):
    warned = [f for f in worst_first(ruined.findings) if f.mark == "warn"]
    assert len(warned) >= 4
    assert [f.excess for f in warned] == sorted((f.excess for f in warned), reverse=True)
    assert as_json(ruined)["worst"] == pytest.approx(warned[0].excess, abs=1e-3)
    for finding in ruined.findings:
        assert 0 <= finding.excess <= WORST
        assert (finding.mark == "warn") == (finding.excess > 1), finding


def test_what_was_asked_is_what_the_planning_estimator_made_of_the_curve(plate: Clip):
    """A curve that sets a unit asks for less where more was measured already."""
    sheet = parse_sheet("version: 1\nchannels:\n  AU12: {mode: absolute, keys: [[0s, 4]]}\n", "set")
    planned = AUIntensity.level(plate.frames, 3.0)
    asked = requested_of(plate, replace(ASKED, sheet=sheet), planned)
    assert asked.values[:, AU_COLUMN[12]] == pytest.approx(1.0)


def test_the_crop_that_is_looked_at_is_as_fine_as_a_large_face():
    """Else what an edit does to detail above half of its resolution would not be seen."""
    assert crop_side(np.array([90.0, 400.0])) == LEAST
    assert crop_side(np.array([700.0, 730.0])) == 768
    assert crop_side(np.array([9000.0])) == SIDE_MAX
    assert crop_side(np.array([])) == LEAST


@pytest.mark.parametrize("side", [512, 1024])
def test_what_was_lent_is_planned_with_the_crops_that_the_editor_had(
    plate: Clip, monkeypatch: pytest.MonkeyPatch, side: int
):
    asked: list[int] = []

    def planned(*parts: Any, **more: Any) -> Any:
        asked.append(parts[3])
        return plan_edits(*parts, **more)

    monkeypatch.setattr(lent, "plan_edits", planned)
    lent_findings(plate, replace(ASKED, editor="plate", crop_size=side))
    assert asked == [side]
