"""Damaged files are made or refused; the long run (`make test-slow`) takes the shared corpus."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.pipeline.media.fuzz import fuzz

SMALL = {"pts": tuple(range(6)), "time_base": Fraction(1, 25), "size": (64, 48)}


def test_damaged_files_are_made_or_refused(footage):
    clips = [
        footage(**SMALL, name="a.mp4", sound="aac"), footage(**SMALL, name="b.mkv"),
        footage(**SMALL, name="c.mov", codec="prores_ks", pix_fmt="yuv422p10le", options={}),
        footage(**SMALL, name="d.avi", codec="mjpeg", pix_fmt="yuvj420p", options={},
                colour=(2, 2, 5, 2)),
    ]  # fmt: skip
    counts, wrong = fuzz([Path(clip) for clip in clips], cases=24, seed=7)
    assert wrong == []
    assert counts["refused"] > 2
    assert counts["made"] > 2


@pytest.mark.slow
def test_five_hundred_damaged_files_of_the_corpus_are_made_or_refused(shared):
    files = sorted(
        path
        for folder in ("corpus", "reported")
        for path in (shared / "media" / folder).glob("*.*")
        if path.suffix not in (".json", ".md") and 0 < path.stat().st_size < 200_000
    )
    counts, wrong = fuzz(files, cases=500, seed=1)
    assert wrong == []
    assert sum(counts.values()) == 500
