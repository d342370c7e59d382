import numpy as np
import pytest

from pipeline.cuts import find_cuts, signature
from pipeline.media.decode import decode_range, display_rgb
from pipeline.media.probe import probe, scan


def shot(seed: int, frames: int, pan: float = 1.0) -> list[np.ndarray]:
    """Frames of a window moving over a coarse random picture."""
    rng = np.random.default_rng(seed)
    world = rng.integers(0, 255, (9, 40, 3), np.uint8)
    big = np.kron(world, np.ones((20, 20, 1), np.uint8))
    return [big[:, int(i * pan) : int(i * pan) + 320] for i in range(frames)]


def cuts_of(frames: list[np.ndarray]) -> list[int]:
    return np.flatnonzero(find_cuts(np.stack([signature(f) for f in frames]))).tolist()


def test_a_cut_is_found_where_the_picture_changes():
    assert cuts_of(shot(1, 20) + shot(2, 15) + shot(3, 9)) == [0, 20, 35]


def test_a_flash_is_no_cut():
    frames = shot(1, 20)
    frames[10] = np.full_like(frames[10], 255)
    assert cuts_of(frames) == [0]


def test_a_whip_pan_is_no_cut():
    assert cuts_of(shot(1, 24, pan=18)) == [0]


def test_a_fade_to_black_is_no_cut():
    frames = [(f * (1 - i / 20)).astype(np.uint8) for i, f in enumerate(shot(1, 20))]
    assert cuts_of(frames) == [0]


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_the_shortest_clips_have_one_shot(frames):
    found = find_cuts(np.zeros((frames, 432), np.uint8))
    assert found.tolist() == [True, False][:frames]


def test_real_speech_has_no_cuts(shared):
    for clip in sorted((shared / "media" / "clips").glob("*.mp4")):
        info = probe(str(clip))
        index = scan(str(clip), info)
        frames = decode_range(str(clip), info, index, 0, min(len(index), 200) - 1)
        signatures = np.stack([signature(display_rgb(f, info)) for f in frames])
        assert np.flatnonzero(find_cuts(signatures)).tolist() == [0], clip.name
