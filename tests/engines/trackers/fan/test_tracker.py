"""FAN's crops and decoding on drawn dots, and the library's own parts where it is installed.

The published weights are nowhere in these tests: a network that finds coloured dots stands in for
FAN where positions matter, and random weights where loading and batching do.
"""

import hashlib
import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the extra 'fan'")

from engines.errors import EngineError, EngineUnavailableError  # noqa: E402
from engines.faces.canonical import canonical_face  # noqa: E402
from engines.faces.ibug import ibug_points  # noqa: E402
from engines.faces.points_pose import pose_from_points  # noqa: E402
from engines.trackers.fan.crops import crop, crop_square, peaks, to_frame  # noqa: E402
from engines.trackers.fan.networks import (  # noqa: E402
    _MIRRORED,
    DETECTOR_FILE,
    LANDMARK_FILE,
    FaceAlignmentNetworks,
    weight_files,
)
from engines.trackers.fan.tracker import FanTracker  # noqa: E402

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("face_alignment") is None,
    reason="face_alignment is not installed (pip install --no-deps face-alignment)",
)

ROWS, COLUMNS = np.divmod(np.arange(68), 9)
LAYOUT = np.stack([(COLUMNS - 4) * 0.2, (ROWS - 3.5) * 0.22 - 0.12], axis=1)
"""Dots around a box's centre, in widths of a square box, well spread over FAN's crop."""


def dotted_face(size=(480, 640), centre=(300.0, 250.0), width=180.0):
    """A black frame with 68 white dots, where they are, and the box of the face they make."""
    where = LAYOUT * width + centre
    frame = np.zeros(size)
    radius = width / 40
    for x, y in where:
        left, top = int(x - 5 * radius), int(y - 5 * radius)
        columns = np.arange(max(left, 0), min(int(x + 5 * radius), size[1]))
        rows = np.arange(max(top, 0), min(int(y + 5 * radius), size[0]))
        apart = (rows[:, None] - y) ** 2 + (columns - x) ** 2
        frame[np.ix_(rows, columns)] += 255 * np.exp(-apart / (2 * radius**2))
    grey = np.rint(np.clip(frame, 0, 255)).astype(np.uint8)
    (cx, cy), half = centre, width / 2
    box = np.array([cx - half, cy - half, cx + half, cy + half, 0.9])
    return np.repeat(grey[..., None], 3, axis=2), where, box


class DotNetwork(torch.nn.Module):
    """FAN's interface: heat map k is what the crop shows near the place of dot k."""

    def forward(self, images):
        shown = torch.nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True), 4)
        places = ((LAYOUT + np.array([0, 0.12])) / (200 * 2 / 195) + 0.5) * 64 - 0.5
        y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
        px, py = (torch.tensor(places[:, i], dtype=torch.float32)[:, None, None] for i in (0, 1))
        near = (x - px).abs().maximum((y - py).abs()) < 3
        return [shown * near]


class DotNetworks:
    """A stand-in for the library: the boxes are known, the dots are found."""

    def __init__(self, boxes):
        self.boxes, self.calls = list(boxes), []

    def detect(self, frames):
        found, self.boxes = self.boxes[: len(frames)], self.boxes[len(frames) :]
        return found

    def heatmaps(self, crops):
        self.calls.append(len(crops))
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        return DotNetwork()(images)[0].numpy()


def gaussians(centres, sigma, noise=0.0, seed=0):
    y, x = np.mgrid[:64, :64]
    maps = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for cx, cy in centres]
    noisy = np.array(maps) + np.random.default_rng(seed).normal(0, noise, (len(maps), 64, 64))
    return noisy.astype(np.float32).reshape(-1, 68, 64, 64)


@pytest.mark.parametrize("sigma", [1.0, 1.75, 3.25])
def test_a_gaussian_peak_is_read_to_a_hundredth_of_a_step(sigma):
    centres = np.random.default_rng(1).uniform(6, 57, (2 * 68, 2))
    found = peaks(gaussians(centres, sigma)).reshape(-1, 2)
    assert np.abs(found - centres).max() < 0.01


def test_noise_on_a_heat_map_moves_its_peak_little():
    centres = np.random.default_rng(2).uniform(6, 57, (4 * 68, 2))
    found = peaks(gaussians(centres, 1.75, noise=0.01)).reshape(-1, 2)
    assert np.sqrt(np.mean((found - centres) ** 2)) < 0.03


def test_peaks_at_the_rim_and_of_flat_maps_stay_where_they_are():
    centres = np.array([[0, 0], [63, 63], [0, 30], [30, 63]] * 17, float)
    assert np.abs(peaks(gaussians(centres, 1.5))[0] - centres).max() <= 0.75
    assert np.isfinite(peaks(np.zeros((1, 68, 64, 64), np.float32))).all()
    assert np.isfinite(peaks(np.full((1, 68, 64, 64), -3.0, np.float32))).all()


def test_the_crop_follows_the_librarys_rule():
    cx, cy, side = crop_square(np.array([100, 50, 180, 150, 0.9]))
    assert (cx, cy) == (140, 100 - 0.12 * 100)
    assert side == pytest.approx(200 * (80 + 100) / 195)


@pytest.mark.parametrize("width", [60.0, 180.0, 400.0])
@pytest.mark.parametrize("centre", [(600.0, 450.0), (601.37, 448.81)])
def test_dots_are_found_where_they_were_drawn(width, centre):
    frame, where, box = dotted_face((960, 1280), centre, width)
    ((face,),) = FanTracker(networks=DotNetworks([box[None]])).track([frame])
    step = crop_square(box)[2] / 64
    assert np.abs(face.landmarks_px - where).max() < 0.05 * step
    assert face.score == pytest.approx(0.9)
    hull = [*face.landmarks_px.min(axis=0), *face.landmarks_px.max(axis=0)]
    assert np.array_equal(face.box, hull)
    assert face.mesh_px is None


def test_a_face_at_the_edge_is_cropped_with_black_beyond():
    frame, where, box = dotted_face((300, 300), (40.0, 60.0), 150.0)
    ((face,),) = FanTracker(networks=DotNetworks([box[None]])).track([frame])
    inside = (where > 3).all(axis=1)
    assert inside.sum() > 20
    assert np.abs(face.landmarks_px - where)[inside].max() < 2.0
    assert crop(frame, crop_square(box))[0, 0].tolist() == [0, 0, 0]


def test_all_crops_of_a_batch_of_frames_go_to_the_network_at_once():
    one, where_one, box_one = dotted_face()
    two, where_two, box_two = dotted_face(centre=(350.0, 260.0))
    grey = np.full_like(one, 30)
    both = np.stack([box_one, box_one + np.array([1, 1, 1, 1, -0.1])])
    networks = DotNetworks([both, np.zeros((0, 5)), box_two[None], box_two[None]])
    tracked = FanTracker(networks=networks, batch=3).track([one, grey, two, two])
    assert [len(faces) for faces in tracked] == [2, 0, 1, 1]
    assert networks.calls == [3, 1]
    assert np.abs(tracked[0][0].landmarks_px - where_one).max() < 0.1
    assert np.abs(tracked[2][0].landmarks_px - where_two).max() < 0.1
    assert np.array_equal(tracked[2][0].landmarks_px, tracked[3][0].landmarks_px)


def test_the_best_boxes_are_kept_and_empty_or_doubtful_ones_are_not():
    frame, _, box = dotted_face()
    boxes = np.stack([box, box - [0, 0, 0, 0, 0.2], [10, 10, 10, 40, 0.9], [9, 9, 8, 8, 0.9]])
    tracked = FanTracker(networks=DotNetworks([boxes]), score_min=0.8).track([frame])
    assert len(tracked[0]) == 1
    tracked = FanTracker(networks=DotNetworks([boxes]), max_faces=2).track([frame])
    assert [round(f.score, 2) for f in tracked[0]] == [0.9, 0.7]


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (25, 0, 0), (0, -15, 0), (-20, 10, 30)]
)
def test_the_pose_has_the_house_signs(yaw, pitch, roll):
    y, p, r = np.radians([yaw, -pitch, -roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points = ibug_points(canonical_face().points_cm) @ (about_z @ about_y @ about_x).T
    depth = 90 - points[:, 2]
    seen = np.stack([320 + 782 * points[:, 0] / depth, 240 - 782 * points[:, 1] / depth], axis=1)
    assert pose_from_points(seen, 640, 480) == pytest.approx((yaw, pitch, roll), abs=1.0)


def test_points_without_a_pose_have_none():
    assert np.isnan(pose_from_points(np.full((68, 2), 100.0), 640, 480)).all()


def test_missing_weights_are_named_before_anything_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints"
    with pytest.raises(EngineUnavailableError) as told:
        FanTracker(device="cpu")
    assert DETECTOR_FILE in str(told.value)
    assert LANDMARK_FILE in str(told.value)
    assert str(place) in str(told.value)
    assert FanTracker.unavailable(device="cpu", batch=3) == str(told.value)
    place.mkdir(parents=True)
    (place / DETECTOR_FILE).write_bytes(b"x")
    with pytest.raises(EngineUnavailableError) as told:
        weight_files()
    assert DETECTOR_FILE not in str(told.value)
    assert LANDMARK_FILE in str(told.value)


def test_weights_are_named_by_their_content(tmp_path, monkeypatch):
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path / "cache"))
    (tmp_path / DETECTOR_FILE).write_bytes(b"one")
    (tmp_path / LANDMARK_FILE).write_bytes(b"two")
    assert FanTracker.unavailable(weights=str(tmp_path), device="cpu") is None
    digests = [hashlib.sha256(content).hexdigest() for content in (b"one", b"two")]
    assert FanTracker.weights_digest(weights=str(tmp_path)) == " ".join(digests)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_faces": 0}, "max_faces 0"),
        ({"batch": 0}, "batch 0"),
        ({"detect_side": 0}, "detect_side 0"),
        ({"score_min": 1.5}, "score_min 1.5"),
        ({"device": "tpu"}, "'tpu'"),
    ],
)
def test_settings_outside_their_range_are_refused(settings, message):
    with pytest.raises(EngineError, match=message):
        FanTracker(**settings)


def test_what_is_not_an_rgb_frame_is_refused():
    with pytest.raises(EngineError, match=r"frame to track: got float32 \(4, 4, 3\)"):
        FanTracker(networks=DotNetworks([])).track([np.zeros((4, 4, 3), np.float32)])


# What follows runs with face-alignment itself and networks of random weights.


@pytest.fixture(scope="module")
def torch_home(tmp_path_factory):
    """Weight files of the right layout: FAN at random, a detector that is sure of its coarsest
    cells only."""
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    home = tmp_path_factory.mktemp("torch")
    place = home / "hub" / "checkpoints"
    place.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(FAN(4).state_dict(), place / LANDMARK_FILE)
    state = s3fd().state_dict()
    for name, bias in state.items():
        if name.endswith("mbox_conf.bias"):
            state[name] = torch.tensor([6.0] * (len(bias) - 1) + [-6.0])
    state["conv7_2_mbox_conf.bias"] = torch.tensor([-2.0, 2.0])
    torch.save(state, place / DETECTOR_FILE)
    return home


def library(torch_home: Path, monkeypatch, **options):
    import face_alignment

    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    return face_alignment.FaceAlignment(
        face_alignment.LandmarksType.TWO_D, device="cpu", compile=False, **options
    )


@needs_library
@pytest.mark.parametrize(("centre", "width"), [((200.0, 180.0), 120.0), ((211.6, 173.3), 147.0)])
def test_the_answer_is_the_librarys_within_one_step(torch_home, monkeypatch, centre, width):
    frame, where, box = dotted_face((360, 420), centre, width)
    reference = library(torch_home, monkeypatch, flip_input=False)
    reference.face_alignment_net = DotNetwork()
    (theirs,) = reference.get_landmarks_from_image(frame, detected_faces=[box])
    ((ours,),) = FanTracker(networks=DotNetworks([box[None]])).track([frame])
    step = crop_square(box)[2] / 64
    assert np.abs(ours.landmarks_px - theirs).max() <= step
    assert np.abs(ours.landmarks_px - where).mean() < np.abs(theirs - where).mean()


@needs_library
def test_random_networks_load_detect_and_answer_alike_in_batches(torch_home, monkeypatch):
    from face_alignment.utils import flip, get_preds_fromhm

    reference = library(torch_home, monkeypatch)
    networks = FaceAlignmentNetworks(weights=None, device="cpu", detect_side=720, mirror=True)
    frames = [
        dotted_face((256, 256), (128.0, 128.0), 90.0)[0],
        np.full((256, 256, 3), 90, np.uint8),
    ]
    found = networks.detect(frames)
    for frame, boxes in zip(frames, found, strict=True):
        theirs = np.array(reference.face_detector.detect_from_image(frame))
        assert len(boxes) == len(theirs) > 0
        assert np.allclose(np.sort(boxes[:, :4], axis=0), np.sort(theirs[:, :4], axis=0), atol=0.1)
    crops = np.stack([crop(frame, (80.0, 80.0, 150.0)) for frame in frames])
    maps = networks.heatmaps(crops)
    assert np.allclose(maps[1:], networks.heatmaps(crops[1:]), atol=1e-3)
    with torch.inference_mode():
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        net = reference.face_alignment_net
        theirs = net(images)[-1] + flip(net(flip(images))[-1], is_label=True)
    assert np.allclose(maps, theirs.numpy(), atol=1e-3)
    steps, _, _ = get_preds_fromhm(maps)
    assert np.abs(peaks(maps) + 0.5 - steps).max() <= 1.0  # the library counts from the rim
    for one, square in zip(peaks(maps), [(80.0, 80.0, 150.0)] * 2, strict=True):
        assert to_frame(one, square).shape == (68, 2)


@needs_library
def test_a_whole_run_with_random_networks_downloads_nothing(torch_home, monkeypatch):
    import urllib.request

    def refuse(*_args, **_options):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    tracker = FanTracker(device="cpu", max_faces=1, mirror=False, detect_side=200)
    frame = np.full((150, 200, 3), 90, np.uint8)
    (faces,) = tracker.track([frame])
    assert len(faces) == 1
    assert np.isfinite(faces[0].landmarks_px).all()


@needs_library
def test_files_that_are_not_the_weights_are_refused(torch_home, tmp_path):
    place = torch_home / "hub" / "checkpoints"
    good = (place / DETECTOR_FILE).read_bytes()
    for detector, landmarks in (
        (b"no", b"no"),
        (good, b"no"),
        (good, pickle.dumps([1], protocol=2)),
    ):
        (tmp_path / DETECTOR_FILE).write_bytes(detector)
        (tmp_path / LANDMARK_FILE).write_bytes(landmarks)
        with pytest.raises(EngineError, match=r"are not the weights of face-alignment 1\.5"):
            FanTracker(weights=str(tmp_path), device="cpu")


@needs_library
def test_points_are_mirrored_as_the_library_does():
    from face_alignment.utils import shuffle_lr

    numbers = torch.arange(68.0)[None, :, None, None]
    assert shuffle_lr(numbers).flatten().tolist() == _MIRRORED
