"""The embedded tracker on a real face, made larger, smaller, turned, hidden."""

import itertools
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from engines.errors import EngineError
from engines.trackers.mesh.tracker import TILE_EVERY, MeshTracker

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def tracker() -> MeshTracker:
    return MeshTracker()


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()


def placed(face, width_px, centre, frame=(1080, 1920)):
    """A grey frame with the astronaut's head (about 90 px wide in hers) of another width."""
    scale = width_px / 90
    head = cv2.resize(face[0:230, 110:340], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((*frame, 3), 90, np.uint8)
    y, x = int(centre[1] - head.shape[0] / 2), int(centre[0] - head.shape[1] / 2)
    canvas[y : y + head.shape[0], x : x + head.shape[1]] = head
    return canvas


def test_a_face_has_its_points_where_the_picture_shows_them(tracker, astronaut):
    ((face,),) = tracker.track([astronaut])
    points = face.landmarks_px
    assert face.score > 0.99
    assert np.array_equal(face.box, [*points.min(axis=0), *points.max(axis=0)])
    assert np.linalg.norm(points[36:42].mean(axis=0) - [203, 101]) < 4  # her right eye, image left
    assert np.linalg.norm(points[42:48].mean(axis=0) - [247, 104]) < 4
    assert np.linalg.norm(points[48:68].mean(axis=0) - [224, 145]) < 5
    assert points[8, 1] > points[57, 1] > points[33, 1] > points[27, 1]  # chin, lip, nose, bridge
    assert points[0, 0] < points[36, 0] < points[45, 0] < points[16, 0]


def test_the_order_of_points_is_mirrored_with_the_picture(tracker, astronaut):
    ((face,),) = tracker.track([astronaut])
    ((mirrored,),) = tracker.track([np.ascontiguousarray(astronaut[:, ::-1])])
    back = mirrored.landmarks_px * [-1, 1] + [astronaut.shape[1], 0]
    eyes = np.linalg.norm(face.landmarks_px[36] - face.landmarks_px[45])
    swapped = back[np.r_[np.arange(16, -1, -1), np.arange(26, 16, -1)]]
    assert np.abs(swapped - face.landmarks_px[:27]).mean() < 0.05 * eyes
    assert mirrored.yaw == pytest.approx(-face.yaw, abs=3)
    assert mirrored.roll == pytest.approx(-face.roll, abs=2)
    assert mirrored.pitch == pytest.approx(face.pitch, abs=3)


@pytest.mark.parametrize("clockwise_deg", [-50, -20, 20, 50])
def test_turning_the_picture_clockwise_adds_to_roll_alone(tracker, astronaut, clockwise_deg):
    ((level,),) = tracker.track([astronaut])
    turn = cv2.getRotationMatrix2D((225, 130), -clockwise_deg, 1.0)  # OpenCV counts the other way
    ((face,),) = tracker.track([cv2.warpAffine(astronaut, turn, (512, 512))])
    assert face.roll - level.roll == pytest.approx(clockwise_deg, abs=4)
    assert face.yaw == pytest.approx(level.yaw, abs=6)
    assert face.pitch == pytest.approx(level.pitch, abs=6)


def test_the_mesh_has_depth_blendshapes_and_a_rigid_head_matrix(tracker, astronaut):
    ((face,),) = tracker.track([astronaut])
    assert face.mesh_px is not None
    assert face.blendshapes is not None
    assert face.matrix is not None
    assert face.mesh_px.shape == (478, 3)
    assert (
        face.mesh_px[4, 2] < face.mesh_px[[127, 356], 2].min()
    )  # the nose is nearer than the ears
    assert face.blendshapes.shape == (52,)
    assert (face.blendshapes >= 0).all()
    assert (face.blendshapes <= 1).all()
    axes = face.matrix[:3, :3] / np.linalg.norm(face.matrix[:3, :3], axis=0)
    assert np.allclose(axes.T @ axes, np.eye(3), atol=1e-5)
    assert face.matrix[2, 3] < -10  # cm before the camera, which looks along −z


@pytest.mark.parametrize("width_px", [75, 110, 160])
def test_faces_too_small_for_the_whole_frame_are_found_by_tiles(tracker, astronaut, width_px):
    frame = placed(astronaut, width_px, (1500, 700))
    ((face,),) = tracker.track([frame])
    assert face.box[2] - face.box[0] == pytest.approx(width_px, rel=0.1)
    assert np.linalg.norm((face.box[:2] + face.box[2:]) / 2 - [1500, 720]) < width_px
    assert MeshTracker(tiles=False).track([frame]) == [[]]


def test_a_portrait_frame_is_tiled_too(tracker, astronaut):
    ((face,),) = tracker.track([placed(astronaut, 90, (500, 1500), frame=(1920, 1080))])
    assert face.box[1] > 1400


def test_a_small_face_is_followed_after_one_tile_search(tracker, astronaut, monkeypatch):
    searches = []
    original = tracker._in_tiles
    monkeypatch.setattr(tracker, "_in_tiles", lambda *a: searches.append(1) or original(*a))
    frames = [placed(astronaut, 75, (900 + 4 * i, 500)) for i in range(6)]
    tracked = tracker.track(frames)
    assert [len(faces) for faces in tracked] == [1] * 6
    assert len(searches) == 1
    middle = np.array([faces[0].landmarks_px.mean(axis=0) for faces in tracked])
    assert np.diff(middle[:, 0]) == pytest.approx([4.0] * 5, abs=0.8)


def test_a_small_face_does_not_jump_from_the_search_to_the_following(tracker, astronaut):
    frames = [placed(astronaut, 100, (900, 500))] * 4
    tracked = [faces[0] for faces in tracker.track(frames)]
    for one, two in itertools.pairwise(tracked):
        assert np.abs(one.landmarks_px - two.landmarks_px).max() < 0.4  # of 100 px
        assert np.abs(one.blendshapes - two.blendshapes).max() < 0.03


def test_a_frame_without_faces_is_searched_by_tiles_every_30_frames(tracker, monkeypatch):
    searches = []
    monkeypatch.setattr(tracker, "_in_tiles", lambda _, faces: searches.append(1) or faces)
    grey = np.full((120, 160, 3), 90, np.uint8)
    assert tracker.track([grey] * (2 * TILE_EVERY + 1)) == [[]] * (2 * TILE_EVERY + 1)
    assert len(searches) == 3


@pytest.mark.parametrize("picture", [data.chelsea, data.colorwheel, data.coins, data.coffee])
def test_what_is_no_face_is_not_taken_for_one(picture):
    """A cat, a wheel of colours and portraits on coins were faces to the detector and the mesh."""
    pixels = picture()
    rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    assert MeshTracker(tile_levels=3).track([rgb]) == [[]]


def test_a_face_on_its_head_is_not_read_as_upright(tracker, astronaut):
    ((upright,),) = tracker.track([astronaut])
    (faces,) = tracker.track([np.ascontiguousarray(astronaut[::-1, ::-1])])
    assert upright.roll == pytest.approx(0, abs=10)
    assert all(abs(face.roll) > 150 for face in faces)


@pytest.mark.parametrize("harm", ["dark", "blurred", "covered"])
def test_a_face_that_is_hard_to_see_is_still_found(tracker, astronaut, harm):
    shown = astronaut.copy()
    if harm == "dark":
        shown = (shown * 0.1).astype(np.uint8)
    elif harm == "blurred":
        shown = cv2.blur(shown, (13, 1))
    else:
        shown[140:260, 150:300] = [120, 160, 190]  # a mask over mouth and chin
    (faces,) = tracker.track([shown])
    assert len(faces) == 1


def test_several_faces_come_once_each_and_no_more_than_asked(tracker, astronaut):
    frame = placed(astronaut, 260, (500, 500))
    frame[:, 960:] = placed(astronaut, 260, (500, 500))[:, :960][:, ::-1]
    (faces,) = tracker.track([frame])
    assert sorted(round(f.landmarks_px[:, 0].mean() / 960) for f in faces) == [1, 1]
    assert len({f.landmarks_px[:, 0].mean() > 960 for f in faces}) == 2
    (only,) = MeshTracker(max_faces=1).track([frame])
    assert len(only) == 1
    both = MeshTracker(max_faces=4, min_faces=3).track([frame])[0]
    assert len(both) == 2  # the tiles find the same two again, and they stay two


def test_where_the_sequence_is_cut_does_not_matter(tracker, shared):
    video = cv2.VideoCapture(str(shared / "media" / "clips" / "d18.mp4"))
    frames = [np.ascontiguousarray(video.read()[1][..., ::-1]) for _ in range(8)]
    whole = tracker.track(frames)
    parts = tracker.track(frames[:3]) + tracker.track(frames[3:])
    single = [faces for frame in frames for faces in tracker.track([frame])]
    for one, other, alone in zip(whole, parts, single, strict=True):
        assert np.array_equal(one[0].mesh_px, other[0].mesh_px)
        assert np.array_equal(one[0].mesh_px, alone[0].mesh_px)


def test_threads_are_a_setting_and_change_nothing_visible(tracker, astronaut):
    ((one,),) = tracker.track([astronaut])
    ((two,),) = MeshTracker(threads=2).track([astronaut])
    assert np.abs(one.landmarks_px - two.landmarks_px).max() < 0.01


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_faces": 0}, "max_faces 0"),
        ({"min_faces": 5}, "min_faces 5"),
        ({"tile_levels": 4}, "tile_levels 4"),
        ({"threads": 0}, "threads: got 0"),
    ],
)
def test_settings_outside_their_range_are_refused(settings, message):
    with pytest.raises(EngineError, match=message):
        MeshTracker(**settings)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((0, 64, 3), np.uint8),
    ],
)
def test_what_is_not_an_rgb_frame_is_refused(tracker, frame):
    with pytest.raises(EngineError, match=r"frame to track: got .*; expected uint8 \(H, W, 3\)"):
        tracker.track([frame])


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (17, 33)])
def test_frames_of_any_size_are_taken(tracker, shape):
    assert tracker.track([np.full((*shape, 3), 128, np.uint8)]) == [[]]


def test_a_view_into_a_larger_array_is_taken(tracker, astronaut):
    ((face,),) = tracker.track([astronaut[:, ::-1][:, ::-1]])
    ((view,),) = tracker.track([np.flip(astronaut, axis=2)[..., ::-1]])
    assert np.array_equal(face.landmarks_px, view.landmarks_px)


def test_tracking_opens_no_socket():
    program = """
        import os, sys
        seen = []
        sys.addaudithook(lambda event, _: event.startswith("socket.") and seen.append(event))
        from skimage import data
        from engines.trackers.mesh.tracker import MeshTracker
        assert len(MeshTracker().track([data.astronaut()])[0]) == 1
        links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                 if os.path.exists(f"/proc/self/fd/{fd}")]
        print([e for e in seen], [link for link in links if link.startswith("socket:")])
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert run.stdout.strip() == "[] []"
