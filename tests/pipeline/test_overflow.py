"""A segment whose editor leaves its number format is made again, whole, in a wider one."""

import json
import pickle

import pytest

from engines.choice import resolve
from engines.errors import NumericOverflowError
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.load import parse_sheet
from pipeline import stages
from pipeline.actors import render_row
from pipeline.edit.batcher import MicroBatcher
from pipeline.run_folder.store import video_row
from pipeline.run_folder.strikes import work_of
from pipeline.settings import AnalysisSettings, RenderSettings
from tests.pipeline.hot_editor import HotEditor

RAISED = parse_sheet("version: 1\nchannels:\n  AU1: [[0s, 3]]\n", "raised")


@pytest.fixture
def planned(talk, tmp_path):
    """A video's row, its settings and its one segment."""
    row = {
        **video_row(talk.path, tmp_path / "raised.mp4", tmp_path / "_work"),
        "request": "raised",
    }
    analysis = AnalysisSettings(resolve("tracker", "mesh"), resolve("AU estimator", "mesh"))
    editor = resolve("editor", "tests.pipeline.hot_editor:HotEditor", {"dtype": "fp16"})
    settings = RenderSettings(RAISED, editor)
    tracker, estimator = MeshTracker(), MeshAUEstimator()
    for chunk in stages.inspect_stage(row, analysis)[1:]:
        stages.analyse_stage({**row, **_span(chunk)}, analysis, tracker, estimator)
    _, faces = stages.assemble_stage(row, analysis, estimator)
    (segment,) = stages.plan_stage(row, faces, settings)[1:]
    return {**row, **_span(segment)}, settings


def _span(row):
    return {name: row[name] for name in ("number", "first", "last", "digest")}


def test_the_whole_segment_is_repeated_in_the_wider_format_and_the_report_says_so(planned):
    row, settings = planned
    verdict = render_row(row, settings=settings)
    assert verdict["error"] == ""
    assert verdict["edited"] == verdict["frames"]
    notes = verdict["notes"].splitlines()
    assert f"edited in bf16: {verdict['frames']} frames" in notes
    assert not any("fp16" in note.partition(":")[0] for note in notes), "no frame is left as it was"
    assert any(note.startswith("repeated with dtype bf16: 65,504 is not") for note in notes)
    folder = stages.folder_of(row)
    marker = folder.marker(row["number"], row["digest"])
    assert json.loads(marker.read_text())["edited"] == verdict["edited"]
    assert not folder.strikes(work_of("render", row["number"]))


def test_without_a_wider_format_the_segment_fails_with_the_editor_s_line(planned):
    row, settings = planned
    with (
        MicroBatcher(HotEditor(), seed=1) as batcher,
        pytest.raises(NumericOverflowError, match="65,504 is not enough"),
    ):
        stages.render_stage(row, settings, batcher)


def test_the_error_travels_between_processes_with_its_remedy():
    error = pickle.loads(pickle.dumps(NumericOverflowError("too hot", {"dtype": "bf16"})))
    assert (str(error), error.remedy) == ("too hot", {"dtype": "bf16"})
