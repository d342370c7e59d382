"""Shots are found by growing outward from what is wanted, and do not depend on the order."""

from itertools import pairwise

import numpy as np
import pytest

from pipeline.faces import stretches
from pipeline.faces.cuts import SIGNATURE_VALUES
from pipeline.faces.stretches import all_stretches, closed_stretches

LENGTHS = [300, 37, 900, 5, 260, 4000, 700, 64]
"""Frames of each shot; the sixth is longer than a take may be."""
CUTS = np.cumsum([0, *LENGTHS])


@pytest.fixture(scope="module")
def signatures() -> np.ndarray:
    """Thumbnails of shots that move a little, another picture each."""
    draws = np.random.default_rng(3)
    shots = [
        np.clip(draws.integers(0, 255, SIGNATURE_VALUES) + draws.normal(0, 1, (n, 1)), 0, 255)
        for n in LENGTHS
    ]
    return np.concatenate(shots).astype(np.uint8)


CHUNKS = [(first, min(first + 128, int(CUTS[-1])) - 1) for first in range(0, int(CUTS[-1]), 128)]


def grown(signatures: np.ndarray, wanted: np.ndarray, seen: dict[int, np.ndarray]):
    """Analyses what is missing until nothing is."""
    for _ in range(len(CHUNKS) + 1):
        found, missing = closed_stretches(CHUNKS, seen, wanted)
        if not missing:
            return found
        assert not seen.keys() & set(missing), "what was seen is asked for again"
        seen |= {n: signatures[CHUNKS[n][0] : CHUNKS[n][1] + 1] for n in missing}
    pytest.fail("never ends")


def only(*frames: int) -> np.ndarray:
    wanted = np.zeros(CUTS[-1], bool)
    wanted[list(frames)] = True
    return wanted


@pytest.mark.parametrize("frame", [0, 299, 300, 336, 500, 1236, 1241, 1300, 5600, 6200, 6265])
def test_a_frame_takes_its_own_shot_and_little_more(signatures, frame) -> None:
    seen: dict[int, np.ndarray] = {}
    found = grown(signatures, only(frame), seen)
    known = all_stretches(signatures)
    ends = [*np.flatnonzero(known.starts).tolist(), len(signatures)]
    first, end = next((a, b) for a, b in pairwise(ends) if a <= frame < b)
    assert found.covered[first:end].all()
    assert np.array_equal(found.starts[found.covered], known.starts[found.covered])
    assert len(seen) * 128 <= end - first + 2 * (128 + stretches.BORDER_CLEAR + 128)


def test_a_long_take_has_borders_of_its_own_on_the_grid(signatures) -> None:
    starts = set(np.flatnonzero(all_stretches(signatures).starts).tolist())
    inside = [s for s in starts if s not in CUTS]
    assert inside == [stretches.TAKE_FRAMES]
    assert len(starts) >= len(LENGTHS) - 1  # five frames are a flash to the rule of cuts


def test_what_is_known_of_a_frame_does_not_depend_on_what_was_asked_before(signatures) -> None:
    draws, known = np.random.default_rng(5), all_stretches(signatures)
    for _ in range(6):
        seen: dict[int, np.ndarray] = {}
        for frame in draws.integers(0, len(signatures), 5):
            found = grown(signatures, only(int(frame)), seen)
            assert found.covered[frame]
            assert np.array_equal(found.starts[found.covered], known.starts[found.covered])


def test_all_frames_want_all_chunks_at_once(signatures) -> None:
    wanted = np.ones(CUTS[-1], bool)
    assert closed_stretches(CHUNKS, {}, wanted)[1] == list(range(len(CHUNKS)))
    assert grown(signatures, wanted, {}).covered.all()


def test_nothing_wanted_needs_nothing(signatures) -> None:
    assert closed_stretches(CHUNKS, {}, only())[1] == []
