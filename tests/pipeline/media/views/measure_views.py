"""The figures of docs/footage.md, "HDR and log": how far measured AUs are off in re-coded footage.

python -m tests.pipeline.media.views.measure_views ../shared/media/clips/d10.mp4
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_NAMES
from pipeline.media.read.inspection import inspect_video
from pipeline.media.views.logs import LOGS
from pipeline.quality.clip import measure
from tests.pipeline.media.views.recoding import recode

FRAMES = range(75)
TAGGED = ("pq", "hlg")


def main(path: str) -> None:
    """A line per coding: the worst unit's mean change as coded, and through its view."""
    clip, engines = inspect_video(path), (MeshTracker(), MeshAUEstimator())
    with tempfile.TemporaryDirectory() as folder:
        plain = recode(clip, FRAMES, Path(folder) / "709.mp4", "709")
        before = measure(inspect_video(str(plain)), *engines)
        for name in (*TAGGED, *LOGS):
            coded = str(recode(clip, FRAMES, Path(folder) / f"{name}.mp4", name))
            told = name
            for view in ("none", "" if name in TAGGED else name):
                after = measure(inspect_video(coded, view), *engines, before)
                off = np.abs(after.intensity - before.intensity).mean(axis=0)
                told += f"  {view or 'by its tags'} {off.max():.3f} ({AU_NAMES[int(off.argmax())]})"
            print(told, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
