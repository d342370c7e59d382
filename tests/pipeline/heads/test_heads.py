"""Drawn heads: what is asked of them is what they show, and what the tracker reads."""

from __future__ import annotations

import numpy as np
import pytest

from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_COLUMN, AU_ORDER
from pipeline.errors import PipelineError
from pipeline.heads.landmarks import true_landmarks, unit_fields
from pipeline.heads.mesh import face_units, head_mesh
from pipeline.heads.people import person
from pipeline.heads.raster import rasterise
from pipeline.heads.render import View, render_person

CORNERS = (48, 54)


def asked(**units: float) -> np.ndarray:
    row = np.zeros(len(AU_ORDER), np.float32)
    for name, value in units.items():
        row[AU_COLUMN[int(name[2:])]] = value
    return row


def test_the_nearest_of_two_triangles_is_seen_whatever_their_order():
    corners = np.array([[[0, 0], [30, 0], [0, 30]], [[0, 0], [10, 0], [0, 10]]], float)
    for order in ([0, 1], [1, 0]):
        near = np.array([[0.0] * 3, [1.0] * 3])[order]
        seen = rasterise(corners[order], near, (40, 40))
        shown = np.full((40, 40), -1)
        shown[seen.row, seen.column] = np.array(order)[seen.triangle]
        assert shown[2, 2] == 1
        assert shown[12, 12] == 0
        assert shown[39, 39] == -1


def test_weights_find_the_place_on_the_triangle():
    corners = np.array([[[3.0, 4.0], [40.0, 9.0], [11.0, 37.0]]])
    seen = rasterise(corners, np.ones((1, 3)), (50, 50))
    place = np.einsum("pkd,pk->pd", corners[seen.triangle], seen.weights)
    np.testing.assert_allclose(place, np.column_stack([seen.column, seen.row]), atol=1e-9)
    area = abs(np.linalg.det(corners[0, 1:] - corners[0, 0])) / 2
    assert len(seen.row) == pytest.approx(area, rel=0.05)


def test_a_triangle_beyond_the_picture_is_cut_at_its_edge():
    seen = rasterise(np.array([[[-90.0, -90], [190, -90], [0, 190]]]), np.ones((1, 3)), (20, 30))
    assert len(seen.row) == 20 * 30


def test_intensity_five_is_one_full_face_unit_and_half_of_it_half():
    full, half = (face_units(asked(AU12=v))["mouthSmileLeft"] for v in (5, 2.5))
    assert (full, half) == (1.0, 0.5)
    assert face_units(asked(AU26=5))["jawOpen"] == pytest.approx(0.6)


def test_an_unknown_face_unit_is_refused_by_name():
    mesh = head_mesh()
    with pytest.raises(PipelineError, match="earWiggle"):
        mesh.moved(mesh.vertices, {"earWiggle": 1.0})


def test_people_are_their_numbers():
    assert person(7) == person(7)
    assert person(7).details != person(8).details
    assert not np.array_equal(person(0).neutral, person(6).neutral), "one kind, two people"


def test_what_a_full_unit_moves_is_what_was_measured_when_the_heads_were_chosen():
    """Six heads, frontal, outer-eye distances: corner, brows, lids, lips, chin (models' README)."""
    fields = unit_fields()

    def moved(au: int, *points: int) -> np.ndarray:
        return np.abs(fields[AU_COLUMN[au]][list(points)]).mean(axis=0)

    np.testing.assert_allclose(moved(12, *CORNERS), [0.078, 0.148], atol=0.015)
    assert fields[AU_COLUMN[12]][48, 1] < 0 < fields[AU_COLUMN[15]][48, 1], "up and down"
    assert fields[AU_COLUMN[12]][48, 0] < 0 < fields[AU_COLUMN[12]][54, 0], "outward"
    assert moved(26, 8)[1] == pytest.approx(0.153, abs=0.02)
    assert moved(5, 37, 38, 43, 44)[1] == pytest.approx(0.044, abs=0.012)
    assert moved(2, 18, 25)[1] == pytest.approx(0.075, abs=0.015)


@pytest.fixture(scope="module")
def tracker() -> MeshTracker:
    return MeshTracker()


def test_the_tracker_finds_the_true_points_of_drawn_people(tracker: MeshTracker):
    for number in (0, 1, 2):
        smile = asked(AU12=4)
        view = View(size=384, zoom=1.4)
        ((face, *_),) = tracker.track([render_person(person(number), smile, view)])
        truth = true_landmarks(person(number), smile, view)
        eyes = np.linalg.norm(truth[36] - truth[45])
        off = np.linalg.norm(face.landmarks_px - truth, axis=1) / eyes
        assert off[17:].mean() < 0.06, number  # measured 0.03–0.04
        assert off[list(CORNERS)].mean() < 0.08, number


@pytest.mark.parametrize("turn", [{"yaw": 20.0}, {"yaw": -20.0}, {"roll": 15.0}, {"pitch": 15.0}])
def test_the_tracker_reads_the_turn_of_the_head_with_its_sign(
    tracker: MeshTracker, turn: dict[str, float]
):
    one = person(0)
    pictures = [render_person(one, view=View(size=384, zoom=1.4, **t)) for t in ({}, turn)]
    (rest, *_), (turned, *_) = tracker.track(pictures)
    (name, angle), *_ = turn.items()
    assert getattr(turned, name) - getattr(rest, name) == pytest.approx(angle, abs=5)
