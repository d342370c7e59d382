"""What every engine promises, asked of every line of the registry whose parts are here.

A new registry line is picked up by itself. It is skipped, with the reason, where its packages,
weights or device are missing.
"""

import importlib.util

import numpy as np
import pytest
from skimage import data

from engines import registry
from engines.choice import resolve
from engines.errors import EngineError, EngineUnavailableError, UnknownEngineError
from engines.interface import AlignedCrops, AUEstimator, EditedCrops, Face, FaceEditor, FaceTracker
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AU_ORDER, AUDelta, AUIntensity

NONSENSE = {"no_such_setting": 1}


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """Settings by engine, where its defaults cannot be had here."""
    found = {}
    if registry.missing("AU estimator", "libreface") is None:
        import torch

        from engines.estimators.libreface.network import AUNetwork

        path = tmp_path_factory.mktemp("weights") / "combined_resnet.pt"
        torch.save({"model": AUNetwork().state_dict()}, path)
        found["AU estimator", "libreface"] = {"weights": str(path)}
    if registry.missing("editor", "magicface") is None:
        import torch

        from tests.engines.editors.magicface.tiny import make_weights

        torch.set_num_threads(1)  # on networks this small a second thread only waits

        weights = make_weights(tmp_path_factory.mktemp("tiny") / "weights")
        found["editor", "magicface"] = {"weights": str(weights), "steps": 2, "batch": 2}
    return found


def made(kind, name, settings):
    if (kind, name) == ("tracker", "fan"):
        return fan_tracker()
    try:
        return resolve(kind, name, settings.get((kind, name))).make()
    except EngineUnavailableError as error:
        pytest.skip(str(error))


def fan_tracker():
    """Its published weights are not to be had: the mesh draws its heat maps."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch not installed")
    from engines.trackers.fan.tracker import FanTracker
    from tests.engines.trackers.fan.mesh_networks import MeshNetworks

    return FanTracker(networks=MeshNetworks())


@pytest.fixture(scope="session", params=registry.TRACKERS)
def tracker(request, settings):
    return made("tracker", request.param, settings)


@pytest.fixture(scope="session", params=registry.ESTIMATORS)
def estimator(request, settings):
    return made("AU estimator", request.param, settings)


@pytest.fixture(scope="session", params=registry.EDITORS)
def editor(request, settings):
    return made("editor", request.param, settings)


def frozen(array):
    """A copy that raises when somebody writes to it."""
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


@pytest.fixture(scope="session")
def portrait():
    return frozen(data.astronaut())


@pytest.fixture(scope="session")
def black():
    return frozen(np.zeros((270, 480, 3), np.uint8))


@pytest.fixture(scope="session")
def face(portrait):
    return MeshTracker().track([portrait])[0][0]


def same_face(one: Face, other: Face) -> bool:
    return (
        np.array_equal(one.landmarks_px, other.landmarks_px)
        and np.array_equal(one.box, other.box)
        and (one.score, one.yaw, one.pitch, one.roll)
        == (other.score, other.yaw, other.pitch, other.roll)
    )


@pytest.mark.parametrize("kind", registry.KINDS)
def test_an_unknown_name_is_answered_with_the_known_ones(kind):
    with pytest.raises(
        UnknownEngineError, match=f"no {kind} 'nobody'; known: (fan|libreface|magicface), "
    ):
        resolve(kind, "nobody")


@pytest.mark.parametrize("kind", registry.KINDS)
def test_something_else_than_an_engine_is_refused_before_anything_runs(kind):
    with pytest.raises(EngineError, match=rf"{kind} 'os:path': got a module without \w+"):
        registry.engine_class(kind, "os:path")
    with pytest.raises(EngineError, match=rf"{kind} 'pathlib:Path': got a type without \w+"):
        registry.engine_class(kind, "pathlib:Path")


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in registry.KINDS.items() for name in names]
)
def test_settings_are_keywords_and_unknown_ones_are_refused(kind, name, settings):
    engine = made(kind, name, settings)
    with pytest.raises((TypeError, EngineError), match="no_such_setting"):
        type(engine)(**NONSENSE)


def test_a_tracker_finds_the_face_of_a_portrait(tracker, portrait, black):
    assert isinstance(tracker, FaceTracker)
    tracked = tracker.track([portrait, black, portrait])
    assert [len(faces) for faces in tracked] == [1, 0, 1]
    (face,) = tracked[0]
    assert face.landmarks_px.shape == (68, 2)
    assert face.landmarks_px.dtype == face.box.dtype == np.float32
    assert np.array_equal(
        face.box, [*face.landmarks_px.min(axis=0), *face.landmarks_px.max(axis=0)]
    )
    assert 0 < face.score <= 1
    assert all(np.isfinite([face.yaw, face.pitch, face.roll]))
    assert np.linalg.norm(face.landmarks_px[36:42].mean(axis=0) - [203, 101]) < 8
    for part, shape in (("mesh_px", (478, 3)), ("blendshapes", (52,)), ("matrix", (4, 4))):
        values = getattr(face, part)
        assert values is None or (values.shape, values.dtype) == (shape, np.float32)


def test_a_tracker_answers_the_same_twice_and_in_parts(tracker, portrait, black):
    frames = [portrait, frozen(portrait[:, ::-1]), black, portrait]
    once = tracker.track(frames)
    for other in (tracker.track(frames), tracker.track(frames[:1]) + tracker.track(frames[1:])):
        assert [len(faces) for faces in once] == [len(faces) for faces in other]
        for one, two in zip(sum(once, []), sum(other, []), strict=True):  # noqa: RUF017
            assert same_face(one, two)


def test_a_tracker_takes_no_frames_and_refuses_other_arrays(tracker):
    assert tracker.track([]) == []
    with pytest.raises(EngineError, match=r"expected uint8 \(H, W, 3\)"):
        tracker.track([np.zeros((8, 8), np.uint8)])


def test_an_estimator_gives_a_row_per_face(estimator, portrait, black, face):
    assert isinstance(estimator, AUEstimator)
    names = estimator.feature_names
    assert len(set(names)) == len(names) > 0
    rows = estimator.measure([portrait, black, portrait], [[face], [], [face, face]])
    assert [row.shape for row in rows] == [(n, len(names)) for n in (1, 0, 2)]
    assert {row.dtype for row in rows} == {np.dtype(np.float32)}
    assert np.isfinite(rows[0]).all()
    assert np.allclose(rows[0][0], rows[2][1], atol=1e-4)
    again = estimator.measure([portrait], [[face]])
    assert np.allclose(again[0], rows[0], atol=1e-4)
    assert estimator.measure([], []) == []


def test_an_estimator_measures_the_faces_of_any_tracker(estimator, portrait, face):
    bare = Face(face.box, face.score, face.landmarks_px, face.yaw, face.pitch, face.roll)
    (rows,) = estimator.measure([portrait], [[bare]])
    assert np.isfinite(rows).all()


def test_an_estimator_turns_a_track_into_intensities(estimator, portrait, face):
    (row,) = estimator.measure([portrait], [[face]])
    features = np.repeat(row, 12, axis=0)
    features[[0, 5]] = np.nan
    result = estimator.intensity(features)
    assert isinstance(result, AUIntensity)
    assert result.values.shape == (12, len(AU_ORDER))
    assert np.flatnonzero(np.isnan(result.values).all(axis=1)).tolist() == [0, 5]
    seen = result.values[[1, 2, 3, 4, 6, 7]]
    assert ((seen >= 0) & (seen <= 5)).all()
    assert np.array_equal(estimator.intensity(features).values, result.values, equal_nan=True)
    rest = estimator.neutral(features)
    assert rest.shape == (len(estimator.feature_names),)
    assert np.isfinite(rest).all()
    again = estimator.intensity(features, rest)
    assert np.array_equal(again.values, result.values, equal_nan=True)
    assert len(estimator.intensity(features[:0])) == 0
    assert np.isnan(estimator.intensity(features[:1]).values).all()


def crops_for(editor, portrait, face, dtype, count):
    """The portrait's face on the editor's crops, a little off from one to the next."""
    import cv2

    size = editor.crop_size
    width = float(face.box[2] - face.box[0])
    scale = 0.45 * size / width
    images, landmarks = [], []
    for i in range(count):
        offset = np.array([size / 2 + 3 * i, size / 2]) - scale * face.landmarks_px.mean(axis=0)
        affine = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
        image = cv2.warpAffine(portrait, affine, (size, size))
        images.append(image.astype(dtype) * (257 if dtype is np.uint16 else 1))
        landmarks.append((face.landmarks_px * scale + offset).astype(np.float32))
    numbers = frozen(np.arange(count, dtype=np.int64))
    return AlignedCrops(frozen(np.stack(images)), frozen(np.stack(landmarks)), numbers)


def asked(count, **aus):
    values = np.zeros((count, len(AU_ORDER)), np.float32)
    for name, amount in aus.items():
        values[:, AU_ORDER.index(int(name[2:]))] = amount
    return AUDelta(frozen(values))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_editor_gives_crops_of_the_same_shape_and_scale(editor, portrait, face, dtype):
    assert isinstance(editor, FaceEditor)
    assert editor.batch_size >= 1
    count = editor.batch_size
    crops = crops_for(editor, portrait, face, dtype, count)
    out = editor.edit(crops, asked(count, AU12=3.0, AU1=2.0), seed=1)
    assert isinstance(out, EditedCrops)
    assert out.edited.shape == out.reference.shape == crops.images.shape
    assert out.edited.dtype == out.reference.dtype
    assert out.edited.dtype in (np.dtype(dtype), np.dtype(np.float32))
    assert out.mask.shape == crops.images.shape[:3]
    assert out.mask.min() >= 0
    assert 0 < out.mask.max() <= 1
    full = 255 if dtype is np.uint8 else 65535
    for values in (out.edited, out.reference):
        assert np.isfinite(values.astype(np.float64)).all()
        assert -0.1 * full <= values.min() <= values.max() <= 1.1 * full
        assert values.max() > 0.3 * full  # on the crops' own scale


def test_an_editor_answers_the_same_twice(editor, portrait, face):
    count = editor.batch_size
    crops = crops_for(editor, portrait, face, np.uint8, count)
    delta = asked(count, AU12=2.0)
    one, other = editor.edit(crops, delta, seed=7), editor.edit(crops, delta, seed=7)
    for part in ("edited", "reference", "mask"):
        assert getattr(one, part).tobytes() == getattr(other, part).tobytes()
    assert one.notes == other.notes


def test_an_editor_refuses_a_delta_of_another_length(editor, portrait, face):
    crops = crops_for(editor, portrait, face, np.uint8, 1)
    with pytest.raises(EngineError):
        editor.edit(crops, asked(3, AU12=1.0), seed=0)
