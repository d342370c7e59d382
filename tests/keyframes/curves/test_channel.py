"""What is computed again when a curve changes, and what is not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from keyframes.au import AU_ORDER, AUIntensity
from keyframes.clock.timeline import even_timeline
from keyframes.curves import channel as channels
from keyframes.load import parse_sheet

CLIP = even_timeline(15.0, Fraction(25))
NEUTRAL = AUIntensity(np.zeros((375, 12), np.float32))


def text(changed: float = 0.0) -> str:
    """12 channels of 30 keys; in AU6 one of them is changed, and a line is longer."""
    lines = ["version: 1", "channels:"]
    for au in AU_ORDER:
        lines.append(f"  AU{au}:")
        for key in range(30):
            value = key % 5 + au / 8 + (changed if (au, key) == (6, 7) else 0)
            lines.append(
                f"    - [{key / 2}s, {value}]"
                + ("  # new" if changed and (au, key) == (6, 7) else "")
            )
    return "\n".join(lines) + "\n"


def computed(source: str) -> tuple[int, np.ndarray]:
    before = channels._values.cache_info().misses
    asked = parse_sheet(source, "x.yaml").deltas(CLIP, NEUTRAL).values
    return channels._values.cache_info().misses - before, asked


def test_a_change_of_one_key_computes_that_channel_alone() -> None:
    channels._values.cache_clear()
    first, asked = computed(text())
    assert first == 12
    assert computed(text())[0] == 0
    again, changed = computed(text(0.5))
    assert again == 1
    differs = (asked != changed).any(axis=0)
    assert [au for au, different in zip(AU_ORDER, differs, strict=True) if different] == [6]


def test_what_is_kept_is_what_would_be_computed() -> None:
    _, kept = computed(text())
    _, kept = computed(text())
    channels._values.cache_clear()
    channels._curve.cache_clear()
    assert np.array_equal(kept, computed(text())[1])


def test_another_clip_is_another_computation() -> None:
    channel = parse_sheet("version: 1\nchannels: {AU1: [[50%, 0], [end, 2]]}", "x").layers[0].source
    assert hasattr(channel, "channels")
    (found,) = channel.channels.values()
    for length in (2.0, 4.0, 2.0):
        clip = even_timeline(length, Fraction(25))
        assert found.curve(clip).times_s.tolist() == [length / 2, length]
