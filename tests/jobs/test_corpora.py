"""Every shared file through the whole job: made and every promise held, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.jobs.corpora import Outcome, through_the_job

NOT_WRITTEN = {"dup_pts.mkv", "vp9_alpha.webm", "vp9_10bit_pq.webm"}
"""Two frames at one time, and what no encoder here writes: refused with the way out."""


def held(outcomes: list[Outcome]) -> set[str]:
    """Names of what was refused; nothing else may fall short."""
    print(*outcomes, sep="\n")
    assert [str(one) for one in outcomes if one.status in ("short", "said")] == []
    assert all("\n" not in one.told for one in outcomes)
    return {one.name for one in outcomes if one.status == "refused"}


@pytest.mark.slow
@pytest.mark.parametrize("editor", ["identity", "previz"])
def test_sound_files_of_the_corpus_come_back_whole_and_broken_ones_are_refused(
    shared: Path, ray_here: None, tmp_path: Path, editor: str
):
    folder = shared / "media" / "corpus"
    refused = held(through_the_job(folder, editor, tmp_path))
    told = json.loads((folder / "manifest.json").read_text())
    broken = {name for name, what in told.items() if what.get("expect_error")}
    sound = {name for name in told if name not in broken}
    assert not refused & sound
    assert {n for n in broken if not told[n]["expect_error"].startswith("optional")} <= refused


@pytest.mark.slow
@pytest.mark.parametrize("editor", ["identity", "previz"])
def test_reported_files_come_back_whole_or_are_refused_with_the_way_out(
    shared: Path, ray_here: None, tmp_path: Path, editor: str
):
    assert held(through_the_job(shared / "media" / "reported", editor, tmp_path)) == NOT_WRITTEN
