"""LibreFace's network with random weights in its checkpoint's layout, and the crop it is shown."""

import hashlib

import cv2
import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch", reason="torch is in the extra 'libreface'")

from engines.errors import EngineError, EngineUnavailableError  # noqa: E402
from engines.estimators.libreface.align import aligned_face, crop_corners  # noqa: E402
from engines.estimators.libreface.estimator import LibreFaceEstimator, network_input  # noqa: E402
from engines.estimators.libreface.network import AUNetwork  # noqa: E402
from engines.interface import Face  # noqa: E402
from engines.trackers.mesh.tracker import MeshTracker  # noqa: E402

KEYS = 138


def layout():
    """Names and shapes of LibreFace's checkpoint, written down apart from our network."""
    shapes = {"encoder.0.weight": (64, 3, 7, 7)}

    def norm(name, width):
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (width,)
        shapes[f"{name}.num_batches_tracked"] = ()

    norm("encoder.1", 64)
    inputs = 64
    for layer, width in ((4, 64), (5, 128), (6, 256), (7, 512)):
        for block in (0, 1):
            name = f"encoder.{layer}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, inputs, 3, 3)
            norm(f"{name}.bn1", width)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            norm(f"{name}.bn2", width)
            if inputs != width:
                shapes[f"{name}.downsample.0.weight"] = (width, inputs, 1, 1)
                norm(f"{name}.downsample.1", width)
            inputs = width
    for head in ("classifier", "classifier_2"):
        shapes |= {f"{head}.0.weight": (128, 512), f"{head}.0.bias": (128,)}
        norm(f"{head}.2", 128)
        shapes |= {f"{head}.4.weight": (12, 128), f"{head}.4.bias": (12,)}
    return shapes


@pytest.fixture(scope="module")
def state():
    generator = torch.Generator().manual_seed(5)
    tensors = {}
    for name, shape in layout().items():
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(7)
        elif len(shape) == 1:
            positive = name.endswith(("running_var", "weight"))
            spread = torch.rand(shape, generator=generator)
            tensors[name] = 0.5 + spread if positive else spread - 0.5
        else:
            fan_in = int(np.prod(shape[1:]))
            tensors[name] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
    tensors["classifier.4.weight"] *= 0.03  # keeps the sigmoid off its ends
    return tensors


@pytest.fixture(scope="module")
def checkpoint(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("libreface") / "combined_resnet.pt"
    torch.save({"model": state, "epoch": 3}, path)
    return path


@pytest.fixture(scope="module")
def estimator(checkpoint):
    return LibreFaceEstimator(weights=str(checkpoint), device="cpu", batch_size=3)


@pytest.fixture(scope="module")
def face():
    return MeshTracker().track([data.astronaut()])[0][0]


def test_the_layout_is_that_of_the_published_checkpoint(state):
    assert len(layout()) == KEYS
    assert {k: tuple(v.shape) for k, v in AUNetwork().state_dict().items()} == layout()


def test_the_network_computes_what_its_weights_say(state):
    """Layer by layer with torch's own functions, from the state dict alone."""
    f = torch.nn.functional
    image = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))

    def norm(x, name):
        w = {p: state[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")}
        return f.batch_norm(x, **w)

    x = f.relu(norm(f.conv2d(image, state["encoder.0.weight"], stride=2, padding=3), "encoder.1"))
    x = f.max_pool2d(x, 3, 2, 1)
    for layer in (4, 5, 6, 7):
        for block in (0, 1):
            name, stride = f"encoder.{layer}.{block}", 2 if layer > 4 and block == 0 else 1
            y = f.conv2d(x, state[f"{name}.conv1.weight"], stride=stride, padding=1)
            y = f.conv2d(f.relu(norm(y, f"{name}.bn1")), state[f"{name}.conv2.weight"], padding=1)
            if stride == 2:
                x = f.conv2d(x, state[f"{name}.downsample.0.weight"], stride=2)
                x = norm(x, f"{name}.downsample.1")
            x = f.relu(norm(y, f"{name}.bn2") + x)
    x = x.mean(dim=(2, 3))
    x = f.relu(f.linear(x, state["classifier.0.weight"], state["classifier.0.bias"]))
    x = norm(x, "classifier.2")
    x = f.linear(x, state["classifier.4.weight"], state["classifier.4.bias"])
    network = AUNetwork()
    network.load_state_dict(state)
    with torch.inference_mode():
        ours = network.eval()(image)
    assert ours.shape == (2, 12)
    assert torch.allclose(ours, torch.sigmoid(x) * 5, atol=1e-4)
    assert ours.std() > 0.1  # not all saturated: the comparison says something


def test_faces_are_measured_in_batches_each_for_itself(estimator, face):
    picture = data.astronaut()
    other = np.ascontiguousarray(picture[:, ::-1])
    mirrored = MeshTracker().track([other])[0][0]
    grey = np.full((64, 64, 3), 90, np.uint8)
    rows = estimator.measure(
        [picture, grey, other, picture], [[face, face], [], [mirrored], [face, face]]
    )
    assert [r.shape for r in rows] == [(2, 12), (0, 12), (1, 12), (2, 12)]
    assert all(r.dtype == np.float32 for r in rows)
    assert np.allclose(rows[0][0], rows[3][1], atol=1e-4)
    assert np.abs(rows[0][0] - rows[2][0]).max() > 1e-3
    values = np.concatenate(rows)
    assert (values >= 0).all()
    assert (values <= 5).all()
    assert estimator.measure([], []) == []


def test_intensities_are_the_features_and_missing_faces_stay_missing(estimator):
    features = np.full((3, 12), 2.5, np.float32)
    features[1] = np.nan
    values = estimator.intensity(features).values
    assert np.isnan(values[1]).all()
    assert (values[[0, 2]] == 2.5).all()
    assert estimator.feature_names[:3] == ("AU1", "AU2", "AU4")
    with pytest.raises(EngineError, match=r"got \(3, 4\); expected \(N, 12\)"):
        estimator.intensity(np.zeros((3, 4), np.float32))


def eyes_in(crop):
    ((found,),) = MeshTracker(tiles=False).track([crop])
    return found.landmarks_px[36:42].mean(axis=0), found.landmarks_px[42:48].mean(axis=0)


@pytest.mark.parametrize(("turn_deg", "scale"), [(0, 1.0), (35, 1.0), (-20, 0.6), (10, 2.5)])
def test_the_crop_shows_the_face_upright_at_one_size(turn_deg, scale):
    size = int(512 * scale)
    turn = cv2.getRotationMatrix2D((225 * scale, 130 * scale), turn_deg, 1.0)
    picture = cv2.resize(data.astronaut(), (size, size), interpolation=cv2.INTER_AREA)
    picture = cv2.warpAffine(picture, turn, (size, size))
    ((face,),) = MeshTracker().track([picture])
    crop = aligned_face(picture, face)
    assert crop.shape == (512, 512, 3)
    left, right = eyes_in(crop)
    # Square of half side 2 eye distances about a point 0.1 eye-to-mouth below the eyes.
    assert left == pytest.approx([192, 243], abs=12)
    assert right == pytest.approx([320, 243], abs=12)


def test_the_square_is_the_published_one():
    mesh = np.zeros((478, 3), np.float32)
    points = np.zeros((68, 2), np.float32)
    points[36:42], points[42:48] = [100, 100], [160, 100]
    points[48:68] = [130, 180]
    points[48], points[54] = [110, 180], [150, 180]
    bare = Face(np.zeros(4, np.float32), 1.0, points, 0.0, 0.0, 0.0)
    # |eye to eye| 60, |eye to mouth| 80: half side max(120, 144); centre 8 below the eyes.
    assert crop_corners(bare) == pytest.approx(np.array([[-14, -36], [274, -36], [-14, 252]]))
    from engines.estimators.libreface.align import _EYE_LEFT, _EYE_RIGHT, _LIPS

    mesh[_EYE_LEFT, :2], mesh[_EYE_RIGHT, :2], mesh[_LIPS, :2] = [100, 100], [160, 100], [130, 180]
    mesh[61, :2], mesh[291, :2] = [110, 180], [150, 180]
    full = Face(np.zeros(4, np.float32), 1.0, points * 0, 0.0, 0.0, 0.0, mesh_px=mesh)
    assert crop_corners(full) == pytest.approx(crop_corners(bare))
    assert len({*_EYE_LEFT}) == len({*_EYE_RIGHT}) == 16
    assert len({*_LIPS}) == 40


def test_sixty_eight_points_give_nearly_the_meshs_crop(face):
    bare = Face(face.box, 1.0, face.landmarks_px, 0.0, 0.0, 0.0)
    side = np.linalg.norm(crop_corners(face)[1] - crop_corners(face)[0])
    assert np.abs(crop_corners(bare) - crop_corners(face)).max() < 0.02 * side


def test_the_crop_is_black_beyond_the_frame(face):
    frame = np.full((60, 60, 3), 200, np.uint8)
    crop = aligned_face(frame, face)  # the face lies below and right of this small frame
    assert crop[-1, -1].tolist() == [0, 0, 0]


def test_the_network_sees_the_centre_normalised():
    crops = np.zeros((1, 512, 512, 3), np.uint8)
    crops[:, 32:480, 32:480] = [255, 0, 0]
    seen = network_input(crops)
    assert seen.shape == (1, 3, 224, 224)
    assert seen[0, :, 112, 112].numpy() == pytest.approx(
        [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], abs=1e-4
    )
    assert seen[0, 0].min() > 0.5  # the black rim of 16 of 256 pixels is cropped off


def test_without_weights_the_engine_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path))
    with pytest.raises(EngineUnavailableError) as told:
        LibreFaceEstimator()
    assert str(tmp_path / "weights" / "libreface" / "combined_resnet.pt") in str(told.value)
    assert LibreFaceEstimator.unavailable() == str(told.value)
    with pytest.raises(EngineUnavailableError, match=r"no file .*none\.pt"):
        LibreFaceEstimator(weights=str(tmp_path / "none.pt"))
    with pytest.raises(EngineError, match="got 'tpu'; expected auto, cpu, cuda or cuda:N"):
        LibreFaceEstimator(weights=str(tmp_path / "none.pt"), device="tpu")
    with pytest.raises(EngineError, match="batch size: got 0"):
        LibreFaceEstimator(weights=str(tmp_path / "none.pt"), batch_size=0)


def test_weights_in_the_cache_are_found_and_named_by_their_content(
    checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setenv("AUREEL_CACHE", str(tmp_path))
    place = tmp_path / "weights" / "libreface"
    place.mkdir(parents=True)
    (place / "combined_resnet.pt").write_bytes(checkpoint.read_bytes())
    assert LibreFaceEstimator.unavailable(device="cpu", batch_size=4) is None
    digest = LibreFaceEstimator.weights_digest()
    assert digest == LibreFaceEstimator.weights_digest(weights=str(checkpoint))
    assert digest == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert LibreFaceEstimator(device="cpu").feature_names[0] == "AU1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("classifier.4.bias"), r"1 missing \(classifier\.4\.bias\)"),
        (lambda s: s.update(fc=torch.zeros(3)), r"1 extra \(fc\)"),
        (
            lambda s: s.update({"encoder.0.weight": torch.zeros(64, 1, 7, 7)}),
            r"1 misshapen \(encoder\.0\.weight \(64, 1, 7, 7\) instead of \(64, 3, 7, 7\)\)",
        ),
        (lambda s: s.clear(), r"138 missing \(encoder\.0\.weight, .*, …\)"),
    ],
    ids=["missing", "extra", "misshapen", "empty"],
)
def test_a_checkpoint_of_another_layout_is_refused_by_name(state, tmp_path, change, message):
    changed = dict(state)
    change(changed)
    path = tmp_path / "other.pt"
    torch.save({"model": changed}, path)
    with pytest.raises(EngineError, match=message):
        LibreFaceEstimator(weights=str(path))


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, checkpoint):
    path = tmp_path / "no.pt"
    for content in (b"", b"not weights", checkpoint.read_bytes()[:5000]):
        path.write_bytes(content)
        with pytest.raises(EngineError, match="not a torch checkpoint"):
            LibreFaceEstimator(weights=str(path))
    torch.save([1, 2], path)
    with pytest.raises(EngineError, match="got no 'model'"):
        LibreFaceEstimator(weights=str(path))


def test_as_many_faces_as_frames_are_asked_for(estimator):
    with pytest.raises(EngineError, match="got 1 frames and faces of 0"):
        estimator.measure([np.zeros((8, 8, 3), np.uint8)], [])
