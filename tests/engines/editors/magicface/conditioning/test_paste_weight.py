"""The share of an edit that is pasted, along the ramps of the presets."""

from fractions import Fraction

import numpy as np
import pytest

from engines.editors.magicface.conditioning.masks import FULL_STRENGTH, paste_weight
from keyframes.au import AUIntensity
from keyframes.clock.timeline import even_timeline
from keyframes.load import load_sheet


def _of_length(length):
    return np.tile(np.float32([length / np.sqrt(12)]), (1, 12))


def test_it_is_0_at_0_and_1_from_its_strength_on():
    found = [paste_weight(_of_length(n))[0] for n in (0, 1e-6, FULL_STRENGTH, 1, 10)]
    assert found == [0, 0, 1, 1, 1]


def test_it_rises_smoothly_and_both_signs_are_equal():
    lengths = np.linspace(0, 2 * FULL_STRENGTH, 401)
    weight = np.array([paste_weight(_of_length(n))[0] for n in lengths])
    assert np.array_equal(weight, [paste_weight(_of_length(-n))[0] for n in lengths])
    assert (np.diff(weight) >= 0).all()
    assert np.diff(weight).max() < 1.6 * (lengths[1] / FULL_STRENGTH)
    assert weight[200] > 0.99
    assert weight[10] < 0.01, "its slope is 0 at the start"


@pytest.mark.parametrize("preset", ["smile", "sad", "surprise", "anger", "fear"])
def test_the_ramps_of_the_presets_keep_their_shape(preset):
    frames, fps = 120, 30
    timeline = even_timeline(frames / fps, Fraction(fps))
    at_rest = AUIntensity(np.zeros((frames, 12), np.float32))
    deltas = load_sheet(preset).deltas(timeline, at_rest).values
    length, weight = np.linalg.norm(deltas, axis=1), paste_weight(deltas)
    assert length.max() > 2
    assert (weight[length > FULL_STRENGTH] == 1).all()
    felt = weight * length
    assert np.abs(felt - length).max() < FULL_STRENGTH / 2
    rising = np.arange(int(np.argmax(length)))
    assert (np.diff(felt[rising]) >= -1e-6).all(), "still a ramp without a dent"
