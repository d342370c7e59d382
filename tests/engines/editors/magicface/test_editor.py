"""The editor as the pipeline sees it, on tiny random weights: pictures of noise, a real path."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from engines.choice import resolve
from engines.devices.precision import overflow
from engines.editors.magicface.editor import MagicFaceEditor
from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.model.torch_networks import load_modules
from engines.editors.magicface.model.vae import to_network, to_pixels
from engines.errors import EngineError, EngineUnavailableError, NumericOverflowError
from engines.interface import AlignedCrops, FaceEditor
from engines.trackers.mesh.tracker import MeshTracker
from keyframes.au import AUDelta
from pipeline.faces.align import face_squares
from tests.engines.editors.magicface.tiny import networks_of

SIZE = 64


@pytest.fixture(scope="module")
def faces():
    """Six crops of a real face, 8-bit, each moved a little, with landmarks."""
    picture = data.astronaut()
    landmarks = MeshTracker().track([picture])[0][0].landmarks_px
    ((x, y, side),) = face_squares(landmarks[None])
    images, points = [], []
    for shift in range(6):
        scale = SIZE / side
        matrix = np.array(
            [[scale, 0, SIZE / 2 - scale * (x + shift)], [0, scale, SIZE / 2 - scale * y]]
        )
        images.append(cv2.warpAffine(picture, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA))
        points.append(landmarks @ matrix[:, :2].T + matrix[:, 2])
    return np.stack(images), np.stack(points).astype(np.float32)


@pytest.fixture(scope="module")
def editor(tiny_weights):
    return MagicFaceEditor(weights=str(tiny_weights), steps=2, batch=4)


def _crops(faces, rows, numbers=None):
    images, points = faces
    rows = np.asarray(rows)
    return AlignedCrops(images[rows], points[rows], rows.astype(np.int64) if numbers is None
                        else np.asarray(numbers, np.int64))  # fmt: skip


def _delta(*rows):
    """Per frame the AU12 change asked for."""
    values = np.zeros((len(rows), 12), np.float32)
    values[:, 6] = rows
    return AUDelta(values)


def test_it_is_the_editor_of_the_registry(tiny_weights, editor):
    made = resolve(
        "editor", "magicface", {"weights": str(tiny_weights), "steps": 1, "batch": 2}
    ).make()
    assert isinstance(made, FaceEditor)
    assert made.crop_size == SIZE
    assert made.batch_size == 2
    assert editor.description.startswith("magicface unipc 2 steps, guidance 3, shared noise")
    assert "torch eager fp32 on cpu" in editor.description


def test_edits_are_float_on_the_crops_scale_with_mask_and_notes(editor, faces):
    edited = editor.edit(_crops(faces, [0, 1, 2, 3]), _delta(2, 2, 2, 2), seed=424)
    assert edited.edited.dtype == edited.reference.dtype == np.float32
    assert 0 <= edited.edited.min() < edited.edited.max() <= 255
    assert edited.edited.max() > 2
    assert edited.mask.max() == pytest.approx(1)
    assert edited.notes == (editor.description, "mask person (segmenter)")


def test_the_reference_is_the_vae_round_trip_of_the_crop(editor, faces, tiny_weights):
    crops = _crops(faces, [0, 1, 2, 3])
    edited = editor.edit(crops, _delta(2, 2, 2, 2), seed=424)
    modules = load_modules(find_folders(tiny_weights))
    images = torch.from_numpy(crops.images).permute(0, 3, 1, 2).float() / 255
    trip = to_pixels(modules.vae_decoder(modules.vae_encoder(to_network(images))))
    expected = 255 * trip.permute(0, 2, 3, 1).numpy()
    assert np.abs(edited.reference - expected).max() < 0.02


def test_a_frame_whose_delta_is_zero_comes_back_as_it_is(editor, faces):
    crops = _crops(faces, [0, 1, 2])
    edited = editor.edit(crops, _delta(0, 3, 0), seed=1)
    for row in (0, 2):
        assert np.array_equal(edited.edited[row], crops.images[row])
        assert np.array_equal(edited.reference[row], crops.images[row])
        assert not edited.mask[row].any()
    assert edited.mask[1].any()
    assert not np.array_equal(edited.edited[1], edited.reference[1])


def test_a_batch_of_zero_deltas_runs_no_network(tiny_weights, faces):
    networks = networks_of(load_modules(find_folders(tiny_weights)), "never called")
    refusing = replace(networks, denoiser=None, id_encoder=None, codec=None)
    editor = MagicFaceEditor(weights=str(tiny_weights), networks=refusing)
    edited = editor.edit(_crops(faces, [0, 1]), _delta(0, 0), seed=1)
    assert not edited.mask.any()
    assert edited.notes == ()


@pytest.mark.parametrize("noise", ["shared", "per-frame"])
@pytest.mark.parametrize("scheduler", ["unipc", "lcm"])
def test_bytes_do_not_depend_on_batch_mates_or_place(tiny_weights, faces, noise, scheduler):
    editor = MagicFaceEditor(
        weights=str(tiny_weights), steps=2, batch=4, noise=noise, scheduler=scheduler
    )
    whole = editor.edit(_crops(faces, range(6)), _delta(1, 2, 3, 4, 5, 6), seed=9)
    cut = editor.edit(_crops(faces, [5, 3, 4]), _delta(6, 4, 5), seed=9)
    assert np.array_equal(cut.edited, whole.edited[[5, 3, 4]])
    assert np.array_equal(cut.reference, whole.reference[[5, 3, 4]])
    assert np.array_equal(cut.mask, whole.mask[[5, 3, 4]])


def test_shared_noise_ignores_the_frames_number_and_per_frame_noise_follows_it(tiny_weights, faces):
    def edit(noise, number, seed=1):
        editor = MagicFaceEditor(weights=str(tiny_weights), steps=1, batch=1, noise=noise)
        return editor.edit(_crops(faces, [0], [number]), _delta(2), seed=seed).edited

    assert np.array_equal(edit("shared", 3), edit("shared", 4))
    assert not np.array_equal(edit("shared", 3), edit("shared", 3, seed=2))
    assert not np.array_equal(edit("per-frame", 3), edit("per-frame", 4))
    assert np.array_equal(edit("per-frame", 3), edit("per-frame", 3))


def test_every_setting_that_shapes_the_picture_does(tiny_weights, faces):
    def edit(**settings):
        usual = {"weights": str(tiny_weights), "steps": 2, "batch": 1}
        return MagicFaceEditor(**(usual | settings)).edit(
            _crops(faces, [0]), _delta(4), seed=1
        ).edited  # fmt: skip

    usual = edit()
    for setting in ({"steps": 3}, {"guidance": 1.0}, {"scheduler": "ddim"}, {"mask": "face"}):
        assert not np.array_equal(edit(**setting), usual)


def test_deeper_footage_keeps_its_scale(editor, faces):
    images, points = faces
    crops8 = _crops(faces, [0, 1, 2, 3])
    crops16 = AlignedCrops(images[:4].astype(np.uint16) * 257, points[:4], np.arange(4))
    eight = editor.edit(crops8, _delta(2, 2, 2, 2), seed=424)
    sixteen = editor.edit(crops16, _delta(2, 2, 2, 2), seed=424)
    assert sixteen.edited.max() > 256
    assert np.abs(sixteen.edited / 257 - eight.edited).max() < 0.05
    assert sixteen.reference.dtype == np.float32


class _OutOfMemory:
    """A denoiser that runs out of memory above a number of rows."""

    def __init__(self, denoiser, most_rows):
        self.denoiser = denoiser
        self.most_rows = most_rows
        self.rows = []

    def __call__(self, latents, *inputs):
        self.rows.append(len(latents))
        if len(latents) > self.most_rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return self.denoiser(latents, *inputs)


def test_a_batch_out_of_gpu_memory_is_halved_on_the_same_frames(tiny_weights, faces):
    networks = networks_of(load_modules(find_folders(tiny_weights)), "memory of two frames")
    small = _OutOfMemory(networks.denoiser, most_rows=4)
    forgotten = []
    tight = replace(networks, denoiser=small, forget=lambda: forgotten.append(1))
    editor = MagicFaceEditor(weights=str(tiny_weights), networks=tight, steps=1, batch=8)
    crops, delta = _crops(faces, range(6)), _delta(1, 2, 3, 4, 5, 6)
    edited = editor.edit(crops, delta, seed=5)
    assert small.rows == [16, 8, 4, 4, 4]
    assert len(forgotten) == 2
    assert "batch 8 did not fit the GPU's memory, continued with 2" in edited.notes
    assert editor.batch_size == 8
    pairs = MagicFaceEditor(weights=str(tiny_weights), steps=1, batch=2)
    assert np.array_equal(edited.edited, pairs.edit(crops, delta, seed=5).edited)
    small.rows.clear()
    editor.edit(crops, delta, seed=5)
    assert small.rows == [4, 4, 4]


def test_memory_for_not_even_one_frame_is_one_clear_line(tiny_weights, faces):
    networks = networks_of(load_modules(find_folders(tiny_weights)), "no memory")
    tight = replace(networks, denoiser=_OutOfMemory(networks.denoiser, most_rows=0))
    editor = MagicFaceEditor(weights=str(tiny_weights), networks=tight, steps=1, batch=2)
    with pytest.raises(EngineUnavailableError, match="out of GPU memory with one frame at a time"):
        editor.edit(_crops(faces, [0]), _delta(1), seed=5)


@pytest.mark.parametrize("spoilt", ["reference", "edited"])
def test_pixels_that_overflow_name_the_dtype(tiny_weights, faces, spoilt):
    networks = networks_of(load_modules(find_folders(tiny_weights)), "overflows")
    decoded = []

    class Overflowing:
        scaling_factor = 0.18215
        encode = staticmethod(networks.codec.encode)

        @staticmethod
        def decode(latents):
            decoded.append("reference" if not decoded else "edited")
            factor = float("nan") if decoded[-1] == spoilt else 1.0
            return networks.codec.decode(latents) * factor

    editor = MagicFaceEditor(
        weights=str(tiny_weights), networks=replace(networks, codec=Overflowing()), steps=1
    )
    with pytest.raises(EngineError, match="non-finite pixels in fp32; try fp32, or look at"):
        editor.edit(_crops(faces, [0]), _delta(1), seed=5)
    assert decoded == ["reference", "edited"]


def test_fp16_that_overflows_names_a_wider_format_as_its_remedy():
    error = overflow("pixels were lost", torch.float16)
    assert isinstance(error, NumericOverflowError)
    assert str(error) == "pixels were lost in fp16; try bf16 or fp32"
    assert error.remedy == {"dtype": "bf16"}
    assert not isinstance(overflow("pixels were lost", torch.bfloat16), NumericOverflowError)


def test_calls_that_do_not_fit_are_refused(editor, faces):
    crops = _crops(faces, [0, 1])
    with pytest.raises(EngineError, match="got 1 deltas for 2 crops"):
        editor.edit(crops, _delta(1), seed=0)
    with pytest.raises(EngineError, match="got seed -1"):
        editor.edit(crops, _delta(1, 1), seed=-1)
    larger = AlignedCrops(
        np.zeros((1, 96, 96, 3), np.uint8), crops.landmarks_px[:1], np.zeros(1, np.int64)
    )
    with pytest.raises(EngineError, match="got crops of 96 px; expected 64 px"):
        editor.edit(larger, _delta(1), seed=0)


def test_another_size_may_be_asked_for(tiny_weights, faces):
    editor = MagicFaceEditor(weights=str(tiny_weights), steps=1, batch=1, size=96)
    images, points = faces
    crops = AlignedCrops(
        cv2.resize(images[0], (96, 96))[None], points[:1] * np.float32(1.5), np.zeros(1, np.int64)
    )
    assert editor.crop_size == 96
    assert editor.edit(crops, _delta(2), seed=0).edited.shape == (1, 96, 96, 3)


def test_the_editors_fingerprint_is_that_of_its_settings(tiny_weights):
    one = MagicFaceEditor.weights_digest("draft", weights=str(tiny_weights))
    assert one == MagicFaceEditor.weights_digest("draft", weights=str(tiny_weights))
    assert one != MagicFaceEditor.weights_digest("final", weights=str(tiny_weights))


def test_a_backend_that_is_not_here_is_refused_by_name(tiny_weights):
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    with pytest.raises(EngineUnavailableError, match="backend 'tensorrt': no CUDA GPU"):
        MagicFaceEditor(weights=str(tiny_weights), backend="tensorrt")


def test_the_official_golden_weights_edit_a_real_face(golden, faces):
    editor = MagicFaceEditor("draft", weights=str(golden), steps=2, batch=2)
    assert editor.crop_size == 128
    images, points = faces
    larger = np.stack([cv2.resize(image, (128, 128)) for image in images[:2]])
    edited = editor.edit(
        AlignedCrops(larger, points[:2] * np.float32(2), np.arange(2)), _delta(3, 5), seed=424
    )
    assert np.abs(edited.edited - edited.reference).max() > 10


def test_an_edit_fades_in_with_the_length_of_its_delta(editor, faces):
    strengths = np.concatenate([[0, 1e-6], np.arange(0.02, 0.72, 0.02)])
    pasted = []
    for strength in strengths:
        edited = editor.edit(_crops(faces, [2]), _delta(strength), seed=1)
        pasted.append(edited.mask[..., None] * (edited.edited - edited.reference))
    change = np.array([np.abs(residual).max() for residual in pasted])
    steps = np.array([np.abs(b - a).max() for a, b in pairwise(pasted)])
    assert change[0] == change[1] == 0
    assert change[-1] > 20, "random weights redraw the face, whatever is asked"
    assert steps.max() < 0.1 * change[-1], "nowhere does it pop"


def test_a_delta_too_small_to_show_runs_no_network(tiny_weights, faces):
    networks = networks_of(load_modules(find_folders(tiny_weights)), "never called")
    refusing = replace(networks, denoiser=None, id_encoder=None, codec=None)
    editor = MagicFaceEditor(weights=str(tiny_weights), networks=refusing)
    edited = editor.edit(_crops(faces, [0]), _delta(1e-4), seed=1)
    assert np.array_equal(edited.edited, _crops(faces, [0]).images)
    assert not edited.mask.any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_crops_reach_the_networks_as_the_quotient_of_floats_to_the_bit(editor, dtype):
    white = np.iinfo(dtype).max
    images = np.random.default_rng(2).integers(0, white, (4, SIZE, SIZE, 3), dtype, endpoint=True)
    shown = editor._to_network(images)
    planes = torch.from_numpy((images.astype(np.float32) / white).transpose(0, 3, 1, 2))
    assert torch.equal(shown, to_network(planes))
