"""Eyes that shut: what a curve may name, what it gives, and what it says of other units' sides."""

from fractions import Fraction

import numpy as np
import pytest

from keyframes.au import AUIntensity
from keyframes.clock.timeline import Timeline
from keyframes.errors import KeyframeError
from keyframes.facs import facs_code, parse_au, parse_code, parse_facs
from keyframes.load import load_sheet, parse_sheet

CLIP = Timeline(np.arange(50) / 25, 2.0, Fraction(25))


def lids(text, measured=None):
    sheet = parse_sheet(f"version: 1\n{text}", "test.yaml")
    return sheet.deltas(CLIP, measured or AUIntensity.level(50)).lids


def test_both_eyes_shut_for_au43_and_au45_and_one_for_a_side():
    for name in ("AU43", "AU45", "45", "au043"):
        assert (lids(f"channels: {{{name}: [[0s, 4]]}}") == 4).all()
    assert (lids("channels: {AU43R: [[0s, 4]]}") == [4, 0]).all()
    assert (lids("pose: L43D+6B\nonset: 0s") == [0, 4])[10].all()
    assert not parse_sheet("version: 1\nuse: smile", "a").shuts_eyes
    assert parse_sheet("version: 1\npose: {AU43L: 1}", "a").shuts_eyes


def test_the_picture_so_far_counts_where_a_target_is_set():
    half = AUIntensity(AUIntensity.level(50).values, np.tile(np.float32([2, 0]), (50, 1)))
    assert (lids("mode: absolute\nchannels: {AU43: [[0s, 5]]}", half) == [3, 5]).all()
    unknown = AUIntensity(half.values)
    assert not lids("mode: absolute\nchannels: {AU43: [[0s, 5]]}", unknown).any()
    sheet = parse_sheet("version: 1\nchannels: {AU43L: [[0s, 20]]}", "a")
    evaluation = sheet.evaluate(CLIP, half)
    assert evaluation.warnings[0].startswith("AU43L: 20 asked for, clamped to 10")


def test_presets_blink_and_wink_shut_and_open_again():
    clip = Timeline(np.arange(250) / 25, 10.0, Fraction(25))
    blink = load_sheet("blink").deltas(clip, AUIntensity.level(250)).lids
    assert blink.max(axis=0).min() > 4.5
    assert np.count_nonzero(blink.any(axis=1)) <= 0.4 * 25
    wink = load_sheet("wink").deltas(clip, AUIntensity.level(250)).lids
    assert wink[:, 1].max() == 5
    assert not wink[:, 0].any()


@pytest.mark.parametrize("name", ["AU12L", "L12", "12R", "AU45L"])
def test_other_units_have_no_sides_and_the_language_says_so(name):
    with pytest.raises(KeyframeError, match=r"one-sided code .* both sides .*only AU43"):
        parse_code(name)


def test_only_measured_units_are_taken_from_tables():
    assert parse_au("AU12") == 12
    with pytest.raises(KeyframeError, match="unknown AU 43; known: 1, 2, 4"):
        parse_au("AU43")  # imports name shut eyes by `parse_code`
    assert facs_code(parse_facs("43E+12C")) == "43E+12C"
