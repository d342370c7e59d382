"""What is said of a shot that lends to its own frames."""

from dataclasses import replace

import numpy as np

from keyframes.load import parse_sheet
from pipeline.edit.lending.mouths import shows_own
from pipeline.edit.lending.told import lending_told
from pipeline.figures.donor_sheet import donor_sheet
from tests.pipeline.edit.lending.test_mouths import SMILE, planned

SHUT = parse_sheet("version: 1\nchannels: {AU43: [[0s, 5]]}\n", "shut")


def told(talk, **how):
    plan, donors = planned(talk, **how)
    donors = donors.mouths
    analysis = how.get("analysis", talk.analysis)
    return lending_told(plan, analysis, talk.inspection.times_s), donors


def test_the_frame_that_lends_is_named_with_when_and_for_how_many(talk):
    lines, (donor,) = told(talk)
    assert lines == (
        f"0.00–1.48 s, face 0: frame {donor.frame} lends its mouth where that opens "
        "(up to 38 frames)",
        "0.00–1.48 s, face 0: AU25+AU26 as the rig moves any face: the shot proves no way of its "
        "own",
    )


def test_what_no_frame_can_lend_is_said_to_be_painted_or_flat(talk):
    filled = replace(talk.analysis, bridged=np.ones_like(talk.analysis.bridged))
    lines, _ = told(talk, analysis=filled)
    open_ = int(shows_own(talk.analysis.landmarks_px, talk.analysis.pose).sum())
    assert 0 < open_ < 38, "a mouth that is open already needs no paint"
    assert lines[0].endswith(f"painted: no frame shows one open enough ({38 - open_} frames)")
    assert "skin stays flat where AU12 would fold it" in told(talk, sheet=SMILE)[0][0]
    assert "lend their shut or half-shut eyes (up to 38 frames)" in told(talk, sheet=SHUT)[0][0]
    assert "lids drawn down" in told(talk, sheet=SHUT, analysis=filled)[0][0]


def test_many_shots_are_not_all_told_one_by_one(talk):
    cut = np.ones_like(talk.analysis.cut)
    assert len(told(talk, sheet=SMILE, analysis=replace(talk.analysis, cut=cut))[0]) == 25


def test_donors_are_shown_beside_an_output_and_an_old_sheet_goes(talk, tmp_path):
    path = tmp_path / "a.donors.png"
    plan, _ = planned(talk)
    donor_sheet(path, talk.inspection, talk.inspection, talk.analysis, plan)
    assert path.read_bytes().startswith(b"\x89PNG")
    nothing, _ = planned(talk, SMILE)
    donor_sheet(path, talk.inspection, talk.inspection, talk.analysis, nothing)
    assert not path.exists()
