"""Shot changes: found where clips are joined, not where a shot flashes, pans or fades."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from pipeline.faces.cuts import dissimilarity, find_cuts, signature

SIGNATURE_LENGTH = 16 * 9 * 3
CLIPS = ("d10", "d14", "d18", "s18", "s20")


def cuts_of(signatures):
    """Frame numbers of the cuts after the first frame, which always starts a shot."""
    found = find_cuts(signatures)
    assert found.dtype == np.bool_
    assert found[:1].all()
    return np.flatnonzero(found)[1:].tolist()


def signatures_of(frames):
    return np.array([signature(frame) for frame in frames]).reshape(-1, SIGNATURE_LENGTH)


def drifting(picture, count=20, seed=0):
    """A hand-held shot: small shifts, a little noise."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        moved = np.roll(picture, (i // 3, i), axis=(0, 1)).astype(np.int16)
        yield np.clip(moved + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def shots():
    pictures = (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())
    small = [cv2.resize(p, (160, 120), interpolation=cv2.INTER_AREA) for p in pictures]
    return [list(drifting(p, seed=i)) for i, p in enumerate(small)]


@pytest.fixture(scope="module")
def clip_signatures(shared):
    found = {}
    for clip in CLIPS:
        video = cv2.VideoCapture(str(shared / "media" / "clips" / f"{clip}.mp4"))
        rows = []
        while (read := video.read())[0]:
            rows.append(signature(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)))
        found[clip] = np.array(rows)
    return found


def test_real_clips_of_one_shot_have_no_cut(clip_signatures):
    assert {clip: cuts_of(s) for clip, s in clip_signatures.items()} == {clip: [] for clip in CLIPS}


def test_joined_real_clips_are_cut_exactly_where_they_meet(clip_signatures):
    order = ["s20", "d18", "d10", "s18", "d14", "d18", "s20", "d14", "d10"]
    parts = [clip_signatures[clip][40 * i : 40 * i + 9 + 7 * i] for i, clip in enumerate(order[:5])]
    parts += [clip_signatures[clip][:30] for clip in order[5:]]
    starts = np.cumsum([len(part) for part in parts])[:-1]
    assert cuts_of(np.concatenate(parts)) == starts.tolist()


def test_shots_of_different_pictures_are_cut_where_they_meet(shots):
    assert cuts_of(signatures_of([frame for shot in shots for frame in shot])) == [20, 40, 60]


def test_a_cut_is_found_beside_either_end(shots):
    one, other = shots[:2]
    assert cuts_of(signatures_of([*one[:1], *other])) == [1]
    assert cuts_of(signatures_of([*one, *other[:1]])) == [20]
    assert find_cuts(signatures_of([one[0], other[0]])).tolist() == [True, True]


@pytest.mark.parametrize("length", [1, 2, 3, 4])
@pytest.mark.parametrize("gain", [1.6, 4.0, 100.0])
def test_a_flash_is_no_cut(shots, length, gain):
    frames = [frame.copy() for frame in shots[0]]
    for frame in frames[8 : 8 + length]:
        frame[:] = np.clip(frame * gain + 60, 0, 255)
    assert cuts_of(signatures_of(frames)) == []


def test_a_black_frame_is_no_cut_but_black_for_long_is(shots):
    frames = [frame.copy() for frame in shots[0]]
    frames[9][:] = 0
    assert cuts_of(signatures_of(frames)) == []
    black = [np.zeros_like(frames[0])] * 10
    joined = [*shots[0], *black, *shots[0]]
    assert cuts_of(signatures_of(joined)) == [20, 30]


def test_a_fade_is_no_cut(shots):
    fade = np.r_[np.ones(5), np.linspace(1, 0, 12), np.zeros(5)]
    frames = [(shots[0][0] * f).astype(np.uint8) for f in fade]
    assert cuts_of(signatures_of(frames)) == []


@pytest.mark.parametrize("speed", [0.05, 0.15, 0.3])
def test_a_whip_pan_is_no_cut(speed):
    world = np.concatenate(
        [cv2.resize(p, (512, 512)) for p in (data.astronaut(), data.coffee(), data.chelsea())],
        axis=1,
    )
    course = np.clip(np.cumsum(np.r_[np.zeros(8), np.full(40, speed), np.zeros(8)]), 0, 2)
    starts = np.rint(course * 512).astype(int)
    assert cuts_of(signatures_of([world[:, x : x + 512] for x in starts])) == []


def test_noise_in_the_dark_is_no_cut():
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 12, (90, 160, 3), np.uint8) for _ in range(30)]
    assert cuts_of(signatures_of(frames)) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (1080, 1920), (480, 908)])
def test_a_signature_is_a_thumbnail_of_any_frame(shape):
    found = signature(np.full((*shape, 3), (10, 77, 200), np.uint8))
    assert found.dtype == np.uint8
    assert found.reshape(-1, 3).tolist() == [[10, 77, 200]] * 16 * 9


def test_a_signature_goes_row_by_row():
    frame = np.zeros((90, 160, 3), np.uint8)
    frame[:10, 150:] = [0, 255, 0]
    found = signature(frame).reshape(9, 16, 3)
    assert found[0, 15].tolist() == [0, 255, 0]
    assert found.sum() == 255


def test_no_frame_and_one_frame_have_no_cut():
    assert find_cuts(np.zeros((0, SIGNATURE_LENGTH), np.uint8)).tolist() == []
    assert find_cuts(np.zeros((1, SIGNATURE_LENGTH), np.uint8)).tolist() == [True]


@given(st.integers(0, 2**32 - 1), st.floats(0.4, 2.0), st.floats(-40, 40))
@settings(max_examples=30)
def test_brightness_does_not_count_and_unlikeness_is_symmetric(seed, gain, offset):
    rng = np.random.default_rng(seed)
    one, other = rng.uniform(0, 255, (2, 1, SIGNATURE_LENGTH))
    assert dissimilarity(one, one + offset) == pytest.approx([0.0], abs=1e-9)
    assert dissimilarity(one, other) == pytest.approx(dissimilarity(other, one))
    assert 0 <= dissimilarity(one, gain * one)[0] < 0.4
    assert dissimilarity(one, other)[0] <= 2
