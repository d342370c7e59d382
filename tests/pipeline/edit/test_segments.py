import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.edit.segments import (
    CHUNK_FRAMES,
    LEAST_FRAMES,
    SEGMENT_FRAMES,
    Hands,
    hands_for,
    plan_chunks,
    plan_segments,
    untouched_groups,
)


def keys_every(frames: int, gop: int) -> np.ndarray:
    is_key = np.zeros(frames, bool)
    is_key[::gop] = True
    return is_key


@given(
    frames=st.integers(1, 3000),
    gop=st.integers(1, 400),
    share=st.floats(0, 1),
    seconds=st.floats(0.005, 60),
    seed=st.integers(0, 9),
    workers=st.integers(1, 64),
)
def test_segments_cover_every_frame_once_and_in_order(frames, gop, share, seconds, seed, workers):
    active = np.random.default_rng(seed).random(frames) < share
    hands = Hands(workers, 1 + seed % 3)
    spans = plan_segments(keys_every(frames, gop), active, seconds, hands=hands)
    covered = [f for s in spans for f in range(s.first, s.last + 1)]
    assert covered == list(range(frames))
    assert [s.number for s in spans] == list(range(len(spans)))


@given(frames=st.integers(1, 5000), gop=st.integers(1, 400))
def test_a_segment_exceeds_its_limit_by_no_more_than_the_snapping_to_key_frames(frames, gop):
    spans = plan_segments(keys_every(frames, gop), np.zeros(frames, bool), 0.02)
    assert max(s.frames for s in spans) <= SEGMENT_FRAMES * 1.5 + 1


def test_a_cut_moves_to_a_key_frame_nearby():
    is_key = np.zeros(500, bool)
    is_key[[0, 240]] = True
    assert plan_segments(is_key, np.zeros(500, bool), 0.02)[1].first == 240


def test_a_slow_editor_gets_short_segments():
    active = np.ones(256, bool)
    spans = plan_segments(keys_every(256, 1), active, 5.0)
    assert max(s.frames for s in spans) <= 12
    assert len(plan_segments(keys_every(256, 1), active, 0.02)) == 1


@pytest.mark.parametrize(
    ("seconds", "hands", "expected"),
    [
        (0.5, Hands(), 3),
        (0.5, Hands(8), 8),
        (0.5, Hands(8, 3), 16),  # twice as many: thrice would be shorter than worth it
        (0.02, Hands(2), 2),
        (0.5, Hands(64, 3), 250 // LEAST_FRAMES + 1),
    ],
)
def test_a_shot_of_ten_seconds_is_cut_for_all_who_can_render_it(seconds, hands, expected):
    active = np.ones(250, bool)
    spans = plan_segments(keys_every(250, 250), active, seconds, hands=hands)
    assert len(spans) == expected
    lengths = [span.frames for span in spans]
    assert max(lengths) - min(lengths) <= 1


def test_pieces_share_out_the_edits_and_not_the_frames():
    active = np.zeros(500, bool)
    active[400:480] = True
    copied = np.zeros(500, bool)
    copied[:250] = True
    spans = plan_segments(keys_every(500, 1), active, 0.5, copied, Hands(5))
    edits = [int(active[s.first : s.last + 1].sum()) for s in spans if not s.copied]
    assert len(spans) - len(edits) == 1
    assert max(edits) <= 80 / 5 * 1.5
    assert sum(edits) == 80


def test_a_clip_has_the_cluster_to_itself_only_where_few_follow_it():
    shares = [hands_for(Hands(8, 3), after).workers for after in range(9)]
    assert shares == [8, 4, 3, 2, 2, 2, 2, 1, 1]
    calls = [hands_for(Hands(8, 3), after).calls for after in (0, 8, 15, 16, 31, 47, 1000)]
    assert calls == [3, 3, 3, 3, 2, 1, 1]  # a short clip among many is one piece


def test_frames_without_edits_do_not_count_as_editor_time():
    active = np.zeros(256, bool)
    active[:9] = True
    assert len(plan_segments(keys_every(256, 1), active, 5.0)) == 2


def test_chunks_of_a_long_gop_are_cut_anyway():
    chunks = plan_chunks(keys_every(1000, 1000))
    assert max(c.frames for c in chunks) <= CHUNK_FRAMES * 1.5


@given(
    frames=st.integers(1, 2000),
    gop=st.integers(1, 300),
    edits=st.lists(st.tuples(st.integers(0, 1999), st.integers(1, 60)), max_size=4),
    least=st.sampled_from([1, 24]),
)
def test_copied_spans_are_whole_groups_that_no_edit_enters(frames, gop, edits, least):
    active = np.zeros(frames, bool)
    for first, length in edits:
        active[first : first + length] = True
    group = np.arange(frames) // gop
    copied = untouched_groups(group, active, least)
    spans = plan_segments(keys_every(frames, gop), active, 0.02, copied)
    assert [f for s in spans for f in range(s.first, s.last + 1)] == list(range(frames))
    for span in spans:
        inside = slice(span.first, span.last + 1)
        assert copied[inside].all() == span.copied == copied[inside].any()
        if span.copied:
            assert not active[inside].any()
            assert span.first % gop == 0
            assert (span.last + 1) % gop == 0 or span.last + 1 == frames
            assert span.frames >= least
    if least == 1:
        untouched = [g for g in np.unique(group) if not active[group == g].any()]
        assert np.array_equal(copied, np.isin(group, untouched))


def test_frames_of_no_closed_group_are_never_copied():
    group = np.array([-1, -1, 0, 0, 1])
    idle = np.zeros(5, bool)
    assert untouched_groups(group, idle).tolist() == [False, False, True, True, True]
    assert not untouched_groups(np.zeros(0, np.int64), idle).any()
