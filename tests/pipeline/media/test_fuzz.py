"""Damaged files are made or refused; the long run (`make test-slow`) takes the shared corpus."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.pipeline.media.fuzz import fuzz

SMALL = {"pts": tuple(range(4)), "time_base": Fraction(1, 25), "size": (64, 48)}
MS = {**SMALL, "pts": tuple(range(0, 160, 40)), "time_base": Fraction(1, 1000)}
INTRA = {"options": {}, "colour": (2, 2, 5, 2)}
CLIPS = [
    {**SMALL, "name": "a.mp4", "sound": "aac"},
    {**MS, "name": "b.mkv", "sound": "aac"},
    {**SMALL, "name": "c.mov", "codec": "prores_ks", "pix_fmt": "yuv422p10le", "options": {},
     "metadata": {"timecode": "01:00:00:00"}, "sound": "pcm_s16le"},
    {**SMALL, "name": "d.avi", "codec": "mjpeg", "pix_fmt": "yuvj420p", **INTRA},
    {**SMALL, "name": "e.ts", "codec": "mpeg2video", "options": {}, "sound": "mp2"},
    {**MS, "name": "f.webm", "codec": "libvpx-vp9", "options": {"deadline": "realtime"}},
    {**MS, "name": "g.mkv", "codec": "ffv1", "options": {}, "pix_fmt": "yuva444p10le"},
    {**SMALL, "name": "h.mp4", "codec": "libx265", "rotation": 90,
     "options": {"preset": "ultrafast", "x265-params": "log-level=none:bframes=2"}},
    {**SMALL, "name": "i.mov", "codec": "mpeg4", "options": {}, "sound": "aac"},
    {**SMALL, "name": "j.mp4", "pix_fmt": "yuv422p10le", "options": {"preset": "ultrafast"}},
]  # fmt: skip


def test_five_hundred_damaged_files_are_made_or_refused(footage):
    counts, wrong = fuzz([Path(footage(**clip)) for clip in CLIPS], cases=500, seed=7)
    assert wrong == []
    assert counts["made"] + counts["refused"] == 500
    assert min(counts["made"], counts["refused"]) > 60


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
