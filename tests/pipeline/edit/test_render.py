"""A segment rendered without Ray: what changes, and above all what does not."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from engines.editors.identity import IdentityEditor
from engines.editors.previz.editor import PrevizEditor
from engines.estimators.mesh.estimator import MeshAUEstimator
from engines.segmenters.multiclass import chosen_segmenter, open_segmenter
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.load import parse_sheet
from pipeline.edit import render
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.plan import plan_edits
from pipeline.edit.render import Rendered, edited_frames, render_segment
from pipeline.edit.segments import Span
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.mux import finish
from pipeline.quality.clip import measure
from tests.engines.segmenters.drawn import things_are_dark

SMILE = parse_sheet("version: 1\nchannels:\n  AU12: [[0.4s, 0], [0.5s, 3]]\n", "smile")


def planes(frame) -> list[np.ndarray]:
    return [
        np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)[:, : p.width]
        for p in frame.planes
    ]


def both(talk, editor, segmenter=None):
    """Decoded and edited planes of every frame, before encoding; what is told of them holds."""
    told = Rendered()
    seen = talk.inspection
    plan = plan_edits(seen, talk.analysis, SMILE, 512).plan
    span = Span(0, 0, seen.frames - 1)
    source = decode_range(seen.info.path, seen.info, seen.index, 0, span.last)
    with MicroBatcher(editor, seed=1) as batcher:
        edited = edited_frames(seen, span, plan, batcher, told, segmenter=segmenter)
        for number, (before, after) in enumerate(zip(source, edited, strict=True)):
            assert before.pts == after.pts
            pair = planes(before), planes(after)
            if any(not np.array_equal(a, b) for a, b in zip(*pair, strict=True)):
                assert told.is_changed
            yield number, number in plan.frame and told.is_changed, *pair


def test_frames_without_a_change_are_untouched_to_the_bit(talk):
    untouched = 0
    for _, active, before, after in both(talk, PrevizEditor()):
        if not active:
            untouched += 1
            assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert untouched > 5


def test_an_edit_that_changes_nothing_leaves_every_sample_alone(talk):
    for _, changed, before, after in both(talk, IdentityEditor()):
        assert not changed
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_frame_whose_edit_is_all_behind_a_hand_is_told_as_unchanged(talk, monkeypatch):
    """An intra-only source's own packet is taken for it."""
    monkeypatch.setattr(render, "behind_hands", lambda mask, _: np.zeros_like(mask))
    assert not any(changed for _, changed, *_ in both(talk, PrevizEditor()))


def test_what_is_before_a_face_keeps_every_sample(talk, tmp_path):
    """Dark pixels count as things: mouth, brows, nostrils."""
    network = chosen_segmenter(str(things_are_dark(tmp_path / "dark.tflite", 0.3)))
    found = both(talk, PrevizEditor(), open_segmenter(network))
    free = both(talk, PrevizEditor())
    dark = light = 0
    for (number, *_, before, after), (*_, without) in zip(found, free, strict=True):
        if number % 9 == 0:
            luma = cv2.GaussianBlur(before[0], (0, 0), 4)
            would = before[0] != without[0]
            dark += int(would[luma < 50].sum())
            light += int((before[0] != after[0])[luma > 110].sum())
            assert np.array_equal(before[0][luma < 50], after[0][luma < 50])
            at_its_edge = np.abs(before[0].astype(int) - after[0])[luma < 60]
            assert at_its_edge.max() <= 1
            assert at_its_edge.sum() <= 2
    assert min(dark, light) > 20


def test_a_segment_is_not_stuck_while_older_ones_are_edited_first(talk, monkeypatch):
    class Slow(IdentityEditor):
        def edit(self, crops, delta, *, seed):
            time.sleep(0.02)
            return super().edit(crops, delta, seed=seed)

    monkeypatch.setattr(render, "LOOK_S", 0.01)
    seen, looks = talk.inspection, []
    plan = plan_edits(seen, talk.analysis, SMILE, 64).plan
    frame = int(plan.frame[0])
    span = Span(0, frame, frame)
    with MicroBatcher(Slow(64), seed=1) as batcher:
        crop = np.zeros((64, 64, 3), np.uint8)
        older = batcher.turn()
        for _ in range(20):
            batcher.submit(render.crop_request(plan, 0, crop), older)
        parts = seen, span, plan.within(span), batcher, Rendered()
        (_,) = edited_frames(*parts, on_wait=lambda: looks.append(batcher.calls))
    assert looks == sorted(set(looks))
    assert 5 < len(looks) <= 21


def test_a_smile_changes_the_lower_face_and_nothing_else(talk):
    for number, active, before, after in both(talk, PrevizEditor()):
        if not active or number % 5:
            continue
        changed = before[0] != after[0]
        x0, y0, x1, y1 = talk.analysis.box[number]
        ys, xs = np.nonzero(changed)
        assert changed.any()
        width = x1 - x0
        assert xs.min() > x0 - 0.5 * width
        assert xs.max() < x1 + 0.5 * width
        assert ys.min() > y0 - 0.03 * width  # the box begins at the brows
        assert ys.max() < y1 + 0.5 * width


@pytest.fixture(scope="module")
def smiled(talk, tmp_path_factory):
    """The finished file of a smile, measured again by the tracker."""
    folder = tmp_path_factory.mktemp("smiled")
    seen = talk.inspection
    plan = plan_edits(seen, talk.analysis, SMILE, 512).plan
    settings = mirror_settings(seen.info, index=seen.index)
    pieces = []
    with MicroBatcher(PrevizEditor(), seed=1) as batcher:
        for span in (Span(0, 0, 15), Span(1, 16, seen.frames - 1)):
            piece = folder / f"{span.number}.mp4"
            rendered = render_segment(seen, span, plan.within(span), batcher, settings, piece)
            assert rendered.frames == span.frames
            pieces.append(str(piece))
    output = folder / "smile.mp4"
    finish(seen.info, seen.index, pieces, str(output), settings)
    from pipeline.media.read.inspection import inspect_video

    return measure(inspect_video(str(output)), MeshTracker(), MeshAUEstimator())


def test_the_smile_moves_the_mouth_corners_as_far_as_it_should(talk, smiled):
    """AU12 = 3: corners .047 out and .089 up, in outer-eye distances; a tracker reads .8 of it."""
    full = talk.inspection.times_s > 0.7
    before = talk.analysis.landmarks_px[full]
    after = smiled.landmarks_px[full]
    eyes = np.linalg.norm(before[:, 45] - before[:, 36], axis=1)[:, None]
    moved = (after - before) / eyes[..., None]
    out = (moved[:, 54, 0] - moved[:, 48, 0]) / 2
    up = -(moved[:, 48, 1] + moved[:, 54, 1]) / 2
    assert 0.020 < out.mean() < 0.065
    assert 0.045 < up.mean() < 0.105
    assert np.abs(moved[:, 36:48]).mean() < 0.01, "the eyes stay where they were"


def test_the_smile_is_measured_as_a_smile(talk, smiled):
    full = talk.inspection.times_s > 0.7
    before = talk.analysis.intensity[full, 6].mean()
    assert smiled.intensity[full, 6].mean() > before + 0.3
