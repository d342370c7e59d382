import numpy as np
import pytest

from engines.editors.identity import IdentityEditor, feathered_mask
from engines.errors import EngineError
from engines.interface import AlignedCrops, FaceEditor
from keyframes.au import AUDelta


def crops_of(n: int, size: int, dtype: type = np.uint8) -> AlignedCrops:
    rng = np.random.default_rng(n)
    return AlignedCrops(
        images=rng.integers(0, np.iinfo(dtype).max, (n, size, size, 3), dtype, endpoint=True),
        landmarks_px=np.zeros((n, 68, 2), np.float32),
        frame_index=np.arange(n, dtype=np.int64),
    )


def delta_of(n: int) -> AUDelta:
    return AUDelta(np.full((n, 12), 3.0, np.float32))


def test_the_registry_makes_a_face_editor_with_its_settings():
    editor = IdentityEditor(size=96, batch=4)
    assert isinstance(editor, FaceEditor)
    assert (editor.crop_size, editor.batch_size) == (96, 4)
    assert (IdentityEditor().crop_size, IdentityEditor().batch_size) == (512, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_edited_and_reference_are_the_crops_at_their_own_depth(dtype, n):
    crops = crops_of(n, 64, dtype)
    result = IdentityEditor(64).edit(crops, delta_of(n), seed=7)
    for images in (result.edited, result.reference):
        assert images.dtype == dtype
        np.testing.assert_array_equal(images, crops.images)
    assert result.mask.shape == (n, 64, 64)


def test_nothing_given_back_shares_memory_with_what_came_or_with_the_next_answer():
    editor, crops = IdentityEditor(64), crops_of(2, 64)
    before = crops.images.copy()
    first = editor.edit(crops, delta_of(2), seed=0)
    first.edited[:] = 0
    first.mask[:] = 0
    np.testing.assert_array_equal(crops.images, before)
    np.testing.assert_array_equal(first.reference, before)
    assert editor.edit(crops, delta_of(2), seed=0).mask.max() == 1.0


@pytest.mark.parametrize("size", [16, 33, 512])
def test_the_mask_is_zero_on_the_edge_one_inside_and_rises_smoothly(size):
    mask = feathered_mask(size)
    for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]):
        assert not edge.any()
    inset = -(-size // 16)
    assert (mask[inset:-inset, inset:-inset] == 1.0).all()
    np.testing.assert_array_equal(mask, mask[::-1, ::-1].T)
    assert (np.diff(mask[size // 2, : size // 2]) >= 0).all()
    if size == 512:
        assert np.abs(np.diff(mask, axis=0)).max() < 0.06


def test_bad_settings_and_crops_are_named_in_one_line():
    with pytest.raises(EngineError, match="got size 15; expected at least 16"):
        IdentityEditor(15)
    with pytest.raises(EngineError, match="got batch 0; expected at least 1"):
        IdentityEditor(batch=0)
    with pytest.raises(EngineError, match="got crops of 64 px; expected 512 px"):
        IdentityEditor().edit(crops_of(1, 64), delta_of(1), seed=0)
    with pytest.raises(EngineError, match="got 1 deltas for 2 crops"):
        IdentityEditor(64).edit(crops_of(2, 64), delta_of(1), seed=0)
