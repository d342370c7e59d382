import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.faces.track import BRIDGE_GAP_S, bridge_gaps, link_faces


def box(x: float, width: float, y: float = 100.0) -> list[float]:
    return [x, y, x + width, y + width]


def times(frames: int) -> np.ndarray:
    return np.arange(frames) / 25


def no_cuts(frames: int) -> np.ndarray:
    cuts = np.zeros(frames, bool)
    cuts[0] = True
    return cuts


def test_two_faces_that_pass_each_other_keep_their_numbers():
    frame = np.repeat(np.arange(40), 2)
    boxes = [b for t in range(40) for b in (box(100 + 5 * t, 80), box(300 - 5 * t, 60, y=210))]
    track = link_faces(frame, np.array(boxes, np.float32), times(40), no_cuts(40))
    assert track[0::2].tolist() == [0] * 40
    assert track[1::2].tolist() == [1] * 40


def test_the_answer_does_not_depend_on_the_order_within_a_frame():
    frame = np.repeat(np.arange(10), 2)
    boxes = np.array([b for _ in range(10) for b in (box(0, 50), box(300, 90))], np.float32)
    swapped = boxes.reshape(10, 2, 4)[:, ::-1].reshape(20, 4)
    assert link_faces(frame, boxes, times(10), no_cuts(10)).tolist() == [1, 0] * 10
    assert link_faces(frame, swapped, times(10), no_cuts(10)).tolist() == [0, 1] * 10


def test_each_shot_numbers_its_own_faces_by_size():
    frame = np.arange(20)
    boxes = np.array([box(10, 40)] * 10 + [box(200, 120)] * 10, np.float32)
    cuts = no_cuts(20)
    cuts[10] = True
    assert link_faces(frame, boxes, times(20), cuts).tolist() == [0] * 20


def test_a_face_that_jumps_away_within_a_shot_is_another_face():
    boxes = np.array([box(10, 50)] * 10 + [box(400, 50)] * 5, np.float32)
    track = link_faces(np.arange(15), boxes, times(15), no_cuts(15))
    assert track.tolist() == [0] * 10 + [1] * 5


@pytest.mark.parametrize(("growth", "is_same"), [(1.6, True), (1.8, False)])
def test_a_face_that_is_suddenly_much_larger_in_its_place_is_another_face(growth, is_same):
    width = 80 * growth
    larger = box(140 - width / 2, width, y=140 - width / 2)
    boxes = np.array([box(100, 80)] * 10 + [larger] * 2, np.float32)
    track = link_faces(np.arange(12), boxes, times(12), no_cuts(12))
    assert track.tolist() == [0] * 10 + [0 if is_same else 1] * 2


def test_no_faces_at_all_is_an_answer():
    empty = link_faces(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), times(5), no_cuts(5))
    assert empty.shape == (0,)


@given(st.sets(st.integers(0, 60), min_size=1))
def test_bridging_fills_short_gaps_and_no_others(seen):
    frame = np.array(sorted(seen))
    bridge = bridge_gaps(frame, times(61), no_cuts(61))
    assert set(frame) <= set(bridge.frame.tolist())
    gaps = np.diff(bridge.frame)
    assert all(g == 1 or g / 25 > BRIDGE_GAP_S - 1e-9 for g in gaps)
    line = bridge.fill(frame.astype(np.float32)[:, None], np.arange(len(frame)))
    assert np.allclose(line[:, 0], bridge.frame, atol=1e-4)


def test_a_gap_over_a_cut_is_not_bridged():
    cuts = no_cuts(10)
    cuts[5] = True
    assert bridge_gaps(np.array([3, 6]), times(10), cuts).frame.tolist() == [3, 6]
