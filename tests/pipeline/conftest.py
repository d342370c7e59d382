"""One short clip with a real face, analysed once for all tests of this room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from pipeline.demo.clip import make_demo_clip
from pipeline.faces.faces import Analysis
from pipeline.figures.pictures import measure
from pipeline.media.read.inspection import Inspection, inspect_video


@dataclass(frozen=True)
class Talk:
    """The demo clip's first second and a half: 38 frames."""

    path: Path
    inspection: Inspection
    analysis: Analysis


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    path = make_demo_clip(tmp_path_factory.mktemp("talk") / "talk.mp4", seconds=1.5)
    inspection = inspect_video(str(path))
    return Talk(path, inspection, measure(inspection, MeshTracker(), MeshAUEstimator()))
