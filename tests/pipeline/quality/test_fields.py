"""A verdict on interlaced footage: what judges see of a face are its fields, without combs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from pipeline.media.read.inspection import inspect_video
from pipeline.quality.clip import Clip, measure
from pipeline.quality.metrics.identity import identity_figures
from pipeline.quality.shot import ShotSeries, measure_shot
from pipeline.quality.verdict import detail_findings, identity_finding, motion_findings
from tests.pipeline.weaving import pictures_of, woven, write_woven

COUNT = 28


def as_fields(clip: Clip, path: Path, plate: Clip | None = None) -> Clip:
    frames = woven(pictures_of(clip.inspection, 0, COUNT))
    seen = inspect_video(str(write_woven(path, frames, Fraction(25, 2))))
    before = plate.measured if plate else None
    return Clip(seen, measure(seen, MeshTracker(), MeshAUEstimator(), before))


def marks(series: ShotSeries) -> dict[str, str]:
    return {f.key: f.mark for f in (*motion_findings(series), *detail_findings(series))}


def beyond_its_own(series: ShotSeries) -> float:
    """How far the person is another, in parts of what the shot allows at the moments looked at."""
    identity = identity_figures(*map(series.embeddings, ("plate", "edit", "others")))
    return identity_finding(identity, series).excess


def test_judges_see_the_fields_of_a_woven_edit_as_they_see_the_progressive_one(
    plate: Clip, smiling: Clip, tmp_path: Path
):
    """Combs would make the person another by .015, and the picture 13 % sharper than it is."""
    before = as_fields(plate, tmp_path / "plate.mkv")
    fields = measure_shot(before, as_fields(smiling, tmp_path / "edit.mkv", before), 0)
    frames = measure_shot(plate, smiling, 0)
    for name, bound in (("sharpness", 0.05), ("identity", 0.01)):
        off = getattr(fields, name) - getattr(frames, name)[:COUNT:2]
        assert np.nanmean(np.abs(off)) < bound, name
    assert marks(fields) == marks(frames)
    assert abs(beyond_its_own(fields) - beyond_its_own(frames)) < 0.05
