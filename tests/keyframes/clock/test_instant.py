"""Times as people type them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from keyframes.clock.instant import Instant, parse_duration, parse_instant
from keyframes.clock.timeline import even_timeline
from keyframes.errors import KeyframeError

CLIP = even_timeline(10.0, Fraction(25), "01:00:00:00")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5", 1.5),
        ("400ms", 0.4),
        ("400 msec", 0.4),
        ("2 seconds", 2.0),
        ("2sec", 2.0),
        ("0.1min", 6.0),
        ("12f", 0.48),
        ("12frames", 0.48),
        ("12 frames", 0.48),
        ("1 frame", 0.04),
        ("50%+6f", 5.24),
        ("end - 0.5s", 9.5),
        ("00:00:01.500", 1.5),
        ("00:00:01,500", 1.5),
        ("0:01.5", 1.5),
        ("1:02.25-1s", 61.25),
        ("01:00:05:00", 5.0),
        ("01:00:05:00+40f", 6.6),
        ("01:00:05:10 - 400ms", 5.0),
    ],
)
def test_a_time_is_what_was_typed(text: str, seconds: float) -> None:
    found = parse_instant(text)
    assert found.at(CLIP) == pytest.approx(seconds)
    assert parse_instant(str(found)) == found


@pytest.mark.parametrize(
    "text", ["12:30", "1 h", "12fs2", "1.5.5", "00:00:61.5", "01:00:05:00 40f", "5 fra", "f", ""]
)
def test_what_could_be_anything_is_refused(text: str) -> None:
    with pytest.raises(KeyframeError, match=r"time .*(is not understood|does not exist); known: 1"):
        parse_instant(text)


def test_order_is_told_where_it_holds_on_every_clip() -> None:
    label = parse_instant("01:00:05:00")
    assert parse_instant("01:00:05:01").is_after(label) is True
    assert parse_instant("01:00:05:00+1f").is_after(label) is True
    assert parse_instant("01:00:05:10").is_after(parse_instant("01:00:05:00+40f")) is None
    assert label.is_after(Instant(seconds=3)) is None


def test_a_length_is_no_timecode() -> None:
    with pytest.raises(KeyframeError, match="is a timecode"):
        parse_duration("01:00:05:00")
    assert parse_duration("12frames") == Instant(frames=12)
