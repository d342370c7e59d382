"""SMPTE labels: every one that exists names one frame, and no other is taken."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timecode import Timecode as Witness

from keyframes.clock.smpte import parse_timecode, seconds_between, timecode_at
from keyframes.errors import KeyframeError

UNHURRIED = settings(deadline=None)  # the machine may be busy
NTSC = Fraction(30000, 1001)
RATES = [Fraction(24), Fraction(25), Fraction(24000, 1001), NTSC, Fraction(50), Fraction(60)]


@UNHURRIED
@given(st.integers(0, 2_589_407), st.sampled_from([NTSC, 2 * NTSC]))
def test_drop_frame_labels_and_frame_numbers_are_inverse(number: int, rate: Fraction) -> None:
    label = timecode_at(number, rate, drop_frame=True)
    assert parse_timecode(str(label)).frame_number(rate) == number


@UNHURRIED
@given(st.integers(0, 2_073_599), st.sampled_from(RATES))
def test_non_drop_labels_and_frame_numbers_are_inverse(number: int, rate: Fraction) -> None:
    assert parse_timecode(str(timecode_at(number, rate))).frame_number(rate) == number


@UNHURRIED
@given(st.integers(0, 2_589_407), st.sampled_from(["29.97", "59.94"]))
def test_drop_frame_agrees_with_the_timecode_package(number: int, rate: str) -> None:
    ours = timecode_at(number, NTSC if rate == "29.97" else 2 * NTSC, drop_frame=True)
    assert Witness(rate, str(ours)).frame_number == number


@pytest.mark.parametrize(
    ("label", "rate", "said"),
    [
        ("00:01:00;00", NTSC, "does not exist in drop-frame"),
        ("00:01:00;03", 2 * NTSC, "does not exist in drop-frame"),
        ("00:00:00:25", Fraction(25), "00 to 24"),
        ("00:00:00;02", Fraction(25), "drop-frame exists at 29.97"),
        ("00:61:00:00", Fraction(25), "does not exist"),
        ("1:00:00:00", Fraction(25), "expected HH:MM:SS:FF"),
    ],
)
def test_a_label_that_does_not_exist_is_refused(label: str, rate: Fraction, said: str) -> None:
    with pytest.raises(KeyframeError, match=said):
        parse_timecode(label).frame_number(rate)


def test_tenth_minutes_drop_nothing() -> None:
    assert parse_timecode("00:10:00;00").frame_number(NTSC) == 17982


def test_a_clip_that_crosses_midnight_counts_on() -> None:
    start, label = parse_timecode("23:59:59:00"), parse_timecode("00:00:01:00")
    assert seconds_between(start, label, Fraction(25)) == 2.0
