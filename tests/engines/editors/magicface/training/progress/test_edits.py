"""What is said of edits: how far they go, which way, and where they come to lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

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
    assert made.gain_error < 1e-6  # every pair goes the same share


def test_the_gains_error_is_of_pairs_that_differ_and_pairs_are_taken_from_all_over(monkeypatch):
    latents = drawn_latents(8, 60)
    known = latents.known_rows()
    wanted = torch.from_numpy(latents.source[known[-1]])

    def goes(_trainee, batch, au, _schedule, _noise, _ways):
        """The whole way, but of the last held-out person's pair."""
        asked = au.abs().sum(dim=1)[:, None, None, None] > 0
        still = (batch.source == wanted).all(dim=(1, 2, 3), keepdim=True)
        return latents.scaling_factor * (
            batch.source + (asked & ~still) * (batch.target - batch.source)
        )

    monkeypatch.setattr(edits, "edited", goes)
    made = measure_edits(None, latents, {}, "cpu", most=10)  # type: ignore[arg-type]
    assert made is not None
    assert (made.pairs, made.right_sign) == (10, pytest.approx(0.9))
    change = (latents.target - latents.source)[
        known[np.linspace(0, len(known) - 1, 10).astype(int)]
    ]
    size = np.square(latents.scaling_factor * change).sum(axis=(1, 2, 3))
    gone = np.where(np.arange(10) < 9, size, 0)
    left = gone - gone.sum() / size.sum() * size
    assert made.gain == pytest.approx(gone.sum() / size.sum(), rel=1e-5)
    assert made.gain_error == pytest.approx(left.std(ddof=1) / size.mean() / 10**0.5, rel=1e-4)


def test_pairs_of_footage_say_nothing_of_edits():
    latents = drawn_latents(8, 4)
    assert measure_edits(None, replace(latents, same_view=None), {}, "cpu") is None  # type: ignore[arg-type]
    latents.au[9] = 0  # nothing is asked of this one
    assert latents.known_rows().tolist() == [8, 10, 11]
