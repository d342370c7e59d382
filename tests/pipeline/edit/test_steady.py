"""Steady: no dropouts, no trembling, and donors that do not flip back and forth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engines.editors.plate.editor import PlateEditor
from keyframes.load import parse_sheet
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.lending.mouths import SWITCH_S, switched
from pipeline.edit.plan import plan_edits
from pipeline.edit.render import Rendered, edited_frames
from pipeline.edit.segments import Span
from pipeline.faces.track import bridge_gaps
from pipeline.media.read.decoding.decode import decode_range, display_rgb

FIRST, LAST = 8, 20


@given(arrays(np.float64, 150, elements=st.floats(-1.5, 1.5)), st.sampled_from([24.0, 25.0, 50.0]))
@settings(max_examples=60)
def test_donors_switch_once_in_two_seconds_at_most_and_through_nothing_lent(better, fps):
    times_s = np.arange(len(better)) / fps
    which, fade = switched(better, times_s)
    at = np.flatnonzero(np.diff(which)) + 1
    assert (np.diff(times_s[at]) >= SWITCH_S - 1e-9).all()
    assert (fade[at] <= 0.12).all()
    assert np.abs(np.diff(fade)).max(initial=0.0) <= 0.25


@pytest.mark.parametrize(("fps", "missing"), [(25, 1), (25, 12), (24, 12), (50, 24), (12.5, 6)])
def test_a_face_that_is_away_for_half_a_second_leaves_no_frame_without_it(fps, missing):
    seen = np.array([*range(5), *range(5 + missing, 10 + missing)])
    times_s = np.arange(10 + missing) / fps
    bridge = bridge_gaps(seen, times_s, np.zeros(len(times_s), bool))
    assert len(bridge.frame) == len(times_s)
    assert bridge.bridged.sum() == missing
    longer = np.array([*range(5), *range(5 + 2 * missing + 2, 10 + 2 * missing + 2)])
    if missing > 1:
        none = bridge_gaps(longer, np.arange(100) / fps, np.zeros(100, bool))
        assert not none.bridged.any()


def flicker(frames, where):
    """How far the picture goes from frame to frame beyond a steady move: second differences."""
    stack = np.stack([frame[where].astype(np.float32) for frame in frames])
    return float(np.abs(np.diff(stack, 2, axis=0)).mean())


@pytest.mark.parametrize(
    ("units", "around", "bound"),
    [("AU43: [[0s, 5]]", range(36, 48), 1.1), ("AU12: [[0s, 4]]", range(48, 60), 1.35)],
)
def test_what_is_drawn_flickers_no_more_than_the_plate(talk, units, around, bound):
    seen, span = talk.inspection, Span(0, FIRST, LAST)
    sheet = parse_sheet(f"version: 1\nchannels: {{{units}}}\n", "steady")
    plan = plan_edits(seen, talk.analysis, sheet, 512, any_size=True).plan
    points = talk.analysis.landmarks_px[FIRST : LAST + 1][:, list(around)].reshape(-1, 2)
    (x0, y0), (x1, y1) = np.rint(points.min(axis=0) - 8), np.rint(points.max(axis=0) + 8)
    where = np.s_[int(y0) : int(y1), int(x0) : int(x1)]
    parts = seen.info.path, seen.info, seen.index, FIRST, LAST
    before = [display_rgb(frame, seen.info) for frame in decode_range(*parts)]
    with MicroBatcher(PlateEditor(), seed=1) as batcher:
        frames = edited_frames(seen, span, plan.within(span), batcher, Rendered())
        after = [display_rgb(frame, seen.info) for frame in frames]
    assert flicker(after, where) <= bound * flicker(before, where)
