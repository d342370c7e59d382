"""What is said of edits: how far they go, which way, and where they come to lie."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engines.editors.magicface.training.progress import edits
from engines.editors.magicface.training.progress.edits import measure_edits
from tests.engines.editors.magicface.training.drawn import drawn_latents


@pytest.mark.parametrize(
    ("share", "gain", "sign", "nearer"),
    [(1.0, 1.0, 1.0, 1.0), (0.3, 0.3, 1.0, 0.0), (-0.5, -0.5, 0.0, 0.0)],
)
def test_gain_sign_and_nearness_of_edits_that_go_a_share_of_the_way(
    share, gain, sign, nearer, monkeypatch
):
    latents = drawn_latents(8, 12)

    def goes(_trainee, batch, au, _schedule, _noise, _ways):
        scale = latents.scaling_factor
        asked = au.abs().sum(dim=1)[:, None, None, None] > 0
        return scale * (batch.source + share * asked * (batch.target - batch.source))

    monkeypatch.setattr(edits, "edited", goes)
    made = measure_edits(None, latents, {}, "cpu")  # type: ignore[arg-type]
    assert made is not None
    assert made.pairs == int((latents.au[8:] != 0).any(axis=1).sum()) > 8
    assert (made.gain, made.right_sign, made.nearer) == pytest.approx((gain, sign, nearer))


def test_pairs_of_footage_say_nothing_of_edits():
    latents = drawn_latents(8, 4)
    assert measure_edits(None, replace(latents, same_view=None), {}, "cpu") is None  # type: ignore[arg-type]
    latents.au[9] = 0  # nothing is asked of this one
    assert latents.known_rows().tolist() == [8, 10, 11]
