"""Parts of clips as people name them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from keyframes.clock.part import parse_part
from keyframes.clock.timeline import even_timeline
from keyframes.errors import KeyframeError

CLIP = even_timeline(20.0, Fraction(25), "01:00:00:00")


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("12s..15s", (300, 374)),
        ("12s to 15s", (300, 374)),
        ("300f .. 301f", (300, 300)),
        ("01:00:12:00..01:00:12:10", (300, 309)),
        ("75%..end", (375, 499)),
        ("end-1s..30s", (475, 499)),
        ("0s..1f", (0, 0)),
    ],
)
def test_a_part_holds_what_is_shown_from_its_start_until_before_its_end(text, frames):
    assert parse_part(text).frames(CLIP) == frames


def test_parts_that_meet_share_no_frame_and_leave_none_out():
    thirds = even_timeline(10.0, Fraction(30000, 1001))
    bounds = [parse_part(f"{a}s..{a + 1}s").frames(thirds) for a in range(10)]
    assert [last + 1 for _, last in bounds[:-1]] == [first for first, _ in bounds[1:]]
    assert (bounds[0][0], bounds[-1][1]) == (0, len(thirds.times_s) - 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("12s", "two times as 12s..15s"),
        ("15s..12s", "ends before it begins"),
        ("3s..3s", "ends before it begins"),
        ("soon..late", "not understood"),
    ],
)
def test_a_part_that_is_none_is_refused_before_any_clip_is_known(text, words):
    with pytest.raises(KeyframeError, match=words):
        parse_part(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("20s..25s", "outside the clip, which goes from 0 to 20.000 s"),
        ("start-2s..1s", "outside the clip"),
        ("1.001s..1.002s", "holds no frame"),
        ("50%..5s", "holds no frame"),
    ],
)
def test_a_part_outside_a_clip_is_refused_with_the_clip_s_own_length(text, words):
    with pytest.raises(KeyframeError, match=words):
        parse_part(text).frames(CLIP)


def test_a_part_is_told_in_a_name_without_what_names_do_not_take():
    labels = [parse_part(t).label for t in ("12s..15s", "01:00:12:00..end-0.5s", "5% to 10%")]
    assert labels == ["12s-15s", "01.00.12.00-end-0.5s", "5pc-10pc"]
    assert parse_part("18s..25s").beyond(CLIP).endswith("the clip ends at 20.000 s already")
    assert parse_part("18s..20s").beyond(CLIP) == ""
