"""Who is who, by distances alone: accepted with a margin, doubted, or nobody."""

from __future__ import annotations

import numpy as np

from keyframes.au import AU_NAMES, LID_NAMES
from pipeline.faces.faces import Analysis
from pipeline.faces.sightings import Who, appearances, name_faces


def shots(*faces: tuple[int, int, int], cuts: tuple[int, ...] = (0,), yaw: float = 0.0) -> Analysis:
    """An analysis of faces (track, first, last)."""
    rows = [(track, frame) for track, first, last in faces for frame in range(first, last + 1)]
    rows.sort()
    count, frames = len(rows), 1 + max(last for _, _, last in faces)
    return Analysis(
        frames=frames,
        frame=np.array([frame for _, frame in rows], np.int64),
        field=np.zeros(count, np.int8),
        track=np.array([track for track, _ in rows], np.int64),
        bridged=np.zeros(count, bool),
        score=np.ones(count, np.float32),
        pose=np.tile(np.array([yaw, 0, 0], np.float32), (count, 1)),
        box=np.zeros((count, 4), np.float32),
        landmarks_px=np.zeros((count, 68, 2), np.float32),
        hands_px=np.full((count, 2, 21, 2), np.nan, np.float32),
        intensity=np.zeros((count, len(AU_NAMES)), np.float32),
        lids=np.zeros((count, len(LID_NAMES)), np.float32),
        cut=np.isin(np.arange(frames), cuts),
    )


TWO = shots((0, 0, 19), (1, 0, 19))


def named(analysis: Analysis, distance: list[list[float]], names: str = "ab") -> Who:
    return name_faces(analysis, appearances(analysis), tuple(names), np.array(distance))


def who_is(who: Who) -> dict[tuple[int, int], str]:
    return {(s.shot, s.face): s.name for s in who.sightings}


def test_each_face_gets_the_name_it_is_near_and_says_how_near() -> None:
    who = named(TWO, [[0.82, 0.30], [0.22, 0.70]])
    assert who_is(who) == {(1, 0): "b", (1, 1): "a"}
    assert [(s.distance, s.runner_up) for s in who.sightings] == [(0.3, 0.7), (0.22, 0.7)]
    assert not who.doubts


def test_names_follow_people_over_a_cut_where_numbers_swap() -> None:
    cut = shots((0, 0, 9), (1, 0, 9), (0, 10, 19), (1, 10, 19), cuts=(0, 10))
    who = named(cut, [[0.2, 0.9], [0.8, 0.2], [0.9, 0.3], [0.3, 0.8]])
    assert who_is(who) == {(1, 0): "a", (1, 1): "b", (2, 0): "b", (2, 1): "a"}
    masks = who.known(0, cut.frames)
    assert np.flatnonzero(masks["a"]).tolist() == list(range(10))
    assert np.flatnonzero(masks["b"]).tolist() == list(range(10, 20))


def test_beyond_the_limit_a_name_is_a_doubt_and_farther_it_is_nobody() -> None:
    one = shots((0, 0, 19))
    assert who_is(named(one, [[0.45]], "a")) == {(1, 0): "a"}
    doubted = named(one, [[0.46]], "a")
    assert not doubted.sightings
    assert [(d.name, d.distance) for d in doubted.doubts] == [("a", 0.46)]
    nobody = named(one, [[0.61]], "a")
    assert (nobody.sightings, nobody.doubts, dict(nobody.nearest)) == ((), (), {"a": 0.61})


def test_a_runner_up_too_near_makes_a_doubt_of_two_names_and_of_two_faces() -> None:
    two_names = named(shots((0, 0, 19)), [[0.30, 0.37]])
    assert not two_names.sightings
    assert [d.name for d in two_names.doubts] == ["a", "b"]
    two_faces = named(TWO, [[0.30], [0.37]], "a")
    assert not two_faces.sightings
    assert {d.face for d in two_faces.doubts} == {0, 1}


def test_who_is_sure_beside_a_face_is_no_rival_for_it() -> None:
    who = named(TWO, [[0.20, 0.26], [0.40, 0.18]])  # b is surely face 1, so face 0 can only be a
    assert who_is(who) == {(1, 0): "a", (1, 1): "b"}


def test_a_name_may_be_two_tracks_of_a_shot_only_where_they_never_meet() -> None:
    came_back = shots((0, 0, 9), (1, 12, 19))
    assert who_is(named(came_back, [[0.20], [0.22]], "a")) == {(1, 0): "a", (1, 1): "a"}
    both_there = shots((0, 0, 12), (1, 12, 19))
    assert who_is(named(both_there, [[0.20], [0.40]], "a")) == {(1, 0): "a"}


def test_a_face_never_seen_frontally_is_sure_only_when_very_near() -> None:
    profile = shots((0, 0, 19), yaw=50.0)
    assert [d.distance for d in named(profile, [[0.31]], "a").doubts] == [0.31]
    assert who_is(named(profile, [[0.30]], "a")) == {(1, 0): "a"}
    glimpse = shots((0, 0, 3))
    assert named(glimpse, [[0.31]], "a").doubts


def test_what_is_kept_of_people_is_names_places_and_distances() -> None:
    who = named(TWO, [[0.82, 0.30], [0.5, 0.70]])
    assert Who.of(who.plain()) == who
