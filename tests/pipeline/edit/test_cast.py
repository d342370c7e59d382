"""An editor's cast: measured in the mask's ring, taken back over the crop, nothing else touched."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.interface import AlignedCrops, EditedCrops
from keyframes.au import AUDelta
from pipeline.edit.batcher import COLOUR_HELD, CropRequest, edit_crops
from pipeline.edit.cast import SLACK, _moved, ring_of, without_cast

SIZE = 128
MASK = np.zeros((SIZE, SIZE), np.float32)
cv2.circle(MASK, (SIZE // 2, SIZE // 2), 40, 1.0, -1)
MASK = cv2.GaussianBlur(MASK, (0, 0), 4)


def skin(seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(0, 18, (SIZE, SIZE, 3))
    return np.clip(np.array([170, 130, 110]) + cv2.GaussianBlur(noise, (0, 0), 1.5) * 2, 0, 255)


def smiled(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """Something new in the heart of the mask."""
    changed = picture.copy()
    changed[56:72, 48:80] = (90, 40, 40)
    return changed


def ring_difference(edited: NDArray[np.floating], plate: NDArray[np.floating]) -> float:
    ring = ring_of(MASK)
    return float(np.abs(edited[ring].mean(axis=0) - plate[ring].mean(axis=0)).max())


@pytest.mark.parametrize("cast", [(12, 0, -9), (6, 6, 6), (-20, -14, -8)])
@pytest.mark.parametrize("contrast", [0.8, 1.0, 1.2])
def test_a_cast_is_taken_back_to_within_the_slack_and_the_edit_stays(
    cast: tuple[int, int, int], contrast: float
) -> None:
    plate = skin()
    middle = plate.mean(axis=(0, 1))
    painted = (smiled(plate) - middle) * contrast + middle + cast
    made = without_cast(painted.astype(np.float32), plate.astype(np.float32), MASK, 255.0)
    assert ring_difference(painted, plate) > 4
    assert ring_difference(made, plate) <= SLACK + 0.05
    ring = ring_of(MASK)
    spread = made[ring].std(axis=0) / plate[ring].std(axis=0)
    assert np.abs(spread - 1).max() < 0.04
    new = (slice(56, 72), slice(48, 80))
    assert np.abs(made[new] - smiled(plate)[new]).max() < 5


def test_what_only_moves_the_plate_is_given_back_as_it_came() -> None:
    plate = skin().astype(np.uint8)
    assert without_cast(plate, plate, MASK, 255.0) is plate
    edited = smiled(plate.astype(np.float64)).astype(np.uint8)
    assert without_cast(edited, plate, MASK, 255.0) is edited


def test_a_growing_cast_is_followed_without_a_step() -> None:
    plate = skin().astype(np.float32)
    levels = [
        float(without_cast(plate + np.float32(c), plate, MASK, 255.0)[64, 64, 0] - plate[64, 64, 0])
        for c in np.arange(0.0, 4.0, 0.1)
    ]
    assert np.abs(np.diff(levels)).max() < 0.15
    assert max(levels) <= SLACK + 0.05


class Painter:
    """An editor that is 10 levels too bright, in 8 or 16 bits."""

    crop_size, batch_size, repaints = SIZE, 1, True

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        step = 10 if crops.images.dtype == np.uint8 else 2570
        edited = np.clip(crops.images.astype(np.float32) + step, 0, None)
        return EditedCrops(edited, crops.images.astype(np.float32), MASK[None])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_pipeline_takes_casts_back_of_an_editor_that_paints_anew_and_tells_it(
    dtype: type,
) -> None:
    scale = 1 if dtype == np.uint8 else 257
    image = (skin() * scale).astype(dtype)
    nothing = np.zeros(12, np.float32), np.zeros(3, np.float32), np.zeros(2, np.float32)
    request = CropRequest(image, np.zeros((68, 2), np.float32), 0, *nothing)
    editor = Painter()
    (edit,) = edit_crops(editor, [request], 0)
    assert np.abs(edit.residual).max() * 255 <= SLACK + 0.05
    assert edit.notes == (COLOUR_HELD,)
    editor.repaints = False
    (kept,) = edit_crops(editor, [request], 0)
    assert np.allclose(kept.residual * 255, 10, atol=0.1)
    assert kept.notes == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_it_is_taken_back_by_the_plain_formula_to_the_bit(dtype: type) -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (SIZE, SIZE, 3)).astype(dtype)
    middle, gain, to = rng.random((3, 3)) * 200
    narrow = [part.astype(np.float32) for part in (middle, gain, to)]
    plain = (picture.astype(np.float32) - narrow[0]) * narrow[1] + narrow[2]
    given = picture.copy()
    assert np.array_equal(_moved(given, middle, gain, to), plain)
    assert np.array_equal(given, picture)
