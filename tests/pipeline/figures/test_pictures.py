"""What `--plot` writes beside an output, made without Ray."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from engines.choice import resolve
from engines.editors.previz.editor import PrevizEditor
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.load import parse_sheet
from pipeline import stages
from pipeline.edit.batcher import MicroBatcher
from pipeline.figures.pictures import plot_stage
from pipeline.rows import VideoRow
from pipeline.run_folder.store import video_row
from pipeline.settings import AnalysisSettings, RenderSettings

RAISED = parse_sheet("version: 1\nchannels:\n  AU1: [[0s, 3]]\n  AU2: [[0s, 3]]\n", "raised")


@pytest.fixture(scope="module")
def plotted(talk, tmp_path_factory) -> Path:
    """The folder of an output in which every single frame has its brows raised alike."""
    folder = tmp_path_factory.mktemp("plotted")
    row: VideoRow = {
        **video_row(talk.path, folder / "raised.mp4", folder / "_work"),
        "request": "raised",
    }
    analysis = AnalysisSettings(resolve("tracker", "mesh"), resolve("AU estimator", "mesh"))
    settings = RenderSettings(RAISED, resolve("editor", "previz"))
    tracker, estimator = MeshTracker(), MeshAUEstimator()
    for chunk in stages.inspect_stage(row, analysis)[1:]:
        stages.analyse_stage({**row, **_span(chunk)}, analysis, tracker, estimator)
    _, faces = stages.assemble_stage(row, analysis, estimator)
    with MicroBatcher(PrevizEditor(), seed=1) as batcher:
        for segment in stages.plan_stage(row, faces, settings)[1:]:
            stages.render_stage({**row, **_span(segment)}, settings, batcher)
    stages.finish_stage(row, settings)
    plot_stage(row, analysis, settings, tracker, estimator)
    return folder


def _span(row):
    return {name: row[name] for name in ("number", "first", "last", "digest")}


@pytest.mark.parametrize("au", ["AU1", "AU2"])
def test_brows_raised_from_the_first_frame_to_the_last_are_seen_as_achieved(plotted, au):
    with (plotted / "raised.curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    before, after = (
        np.array([float(row[f"{au}_{what}"]) for row in rows]) for what in ("measured", "achieved")
    )
    assert {row[f"{au}_requested"] for row in rows} == {"3.000000"}
    assert np.median(after - before) > 0.9  # the tracker reads a part of a true lift


def test_curves_and_frames_lie_beside_the_output(plotted):
    for name in ("raised.curves.png", "raised.frames.png"):
        assert (plotted / name).read_bytes().startswith(b"\x89PNG")
    assert not list(plotted.glob(".*"))
