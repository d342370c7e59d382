import dataclasses

import numpy as np

from keyframes.load import parse_sheet
from pipeline.affine import apply
from pipeline.edit.plan import plan_edits, read_plan, write_plan
from pipeline.edit.segments import Span
from tests.pipeline.faces.test_faces import without_frames

HOLD = parse_sheet("version: 1\nchannels:\n  AU12: [[0.4s, 0], [0.6s, 2]]\n", "hold")


def test_only_frames_that_ask_for_something_are_edited(talk):
    planned = plan_edits(talk.inspection, talk.analysis, HOLD, 512)
    times = talk.inspection.times_s
    assert planned.plan.frame.tolist() == np.flatnonzero(times > 0.4).tolist()
    assert np.allclose(planned.plan.delta[-1], np.eye(12, dtype=np.float32)[6] * 2)
    assert planned.warnings == ()


def test_the_curve_is_evaluated_at_the_frames_own_times(talk):
    planned = plan_edits(talk.inspection, talk.analysis, HOLD, 512)
    at = talk.inspection.times_s[planned.plan.frame]
    expected = 2 * np.clip((at - 0.4) / 0.2, 0, 1)
    middle = np.abs(at - 0.5) < 0.02
    assert np.allclose(planned.plan.delta[middle, 6], expected[middle], atol=0.35)
    assert np.all(np.diff(planned.plan.delta[:, 6]) >= 0)


def test_frames_that_ask_for_a_face_that_is_not_there_are_told(talk):
    analysis = without_frames(talk.analysis, {30, 31})
    planned = plan_edits(talk.inspection, analysis, HOLD, 512)
    assert not {30, 31} & set(planned.plan.frame.tolist())
    (warning,) = planned.warnings
    assert "2 frames without that face" in warning


def test_landmarks_lie_in_the_crop_where_they_lie_in_the_frame(talk):
    plan = plan_edits(talk.inspection, talk.analysis, HOLD, 512).plan
    there = apply(plan.coded_from_crop, plan.landmarks_px)
    assert np.allclose(there, talk.analysis.landmarks_px[plan.frame], atol=0.01)
    assert 0 < plan.landmarks_px.min() < plan.landmarks_px.max() < 512


def test_a_plan_reads_back_and_its_digest_follows_its_edits(talk, tmp_path):
    plan = plan_edits(talk.inspection, talk.analysis, HOLD, 512).plan
    write_plan(tmp_path / "plan.parquet", plan)
    again = read_plan(tmp_path / "plan.parquet")
    assert again.digest() == plan.digest()
    softer = dataclasses.replace(plan, delta=plan.delta * np.float32(0.5))
    assert softer.digest() != plan.digest()
    assert again.within(Span(0, 20, 25)).frame.tolist() == list(range(20, 26))


def test_an_empty_plan_is_a_plan(talk, tmp_path):
    nothing = parse_sheet("version: 1\nchannels:\n  AU12: [[0s, 0]]\n", "nothing")
    plan = plan_edits(talk.inspection, talk.analysis, nothing, 512).plan
    assert len(plan) == 0
    write_plan(tmp_path / "plan.parquet", plan)
    assert len(read_plan(tmp_path / "plan.parquet")) == 0


def test_a_face_the_clip_has_not_is_no_crash(talk):
    second = parse_sheet("version: 1\nfaces: [1]\nchannels:\n  AU12: [[0s, 2]]\n", "second")
    planned = plan_edits(talk.inspection, talk.analysis, second, 512)
    assert len(planned.plan) == 0
    assert any("face 1" in warning for warning in planned.warnings)
