"""Cropping from one field of a frame and pasting into it: its own lines, where they lie."""

from __future__ import annotations

from dataclasses import replace

import av
import cv2
import numpy as np
import pytest

from pipeline.edit.composite import paste_residual
from pipeline.edit.detail import carry_detail
from pipeline.media.colour import crop_rgb
from pipeline.media.fields import Field
from pipeline.media.planes import plane_views, sample_layout
from tests.pipeline.edit.test_composite import copied, disc, noise_frame, residual, video_info

FORMATS = ["yuv420p", "yuv422p", "yuv411p", "nv12", "yuv420p10le", "gbrp10le", "rgb24"]


def with_other_lines(frame, parity):
    """The same frame with noise in the lines of the other field."""
    random = np.random.default_rng(5)
    for view in plane_views(frame):
        other = view[1 - parity :: 2]
        other[...] = random.integers(40, 200, other.shape)
    return frame


@pytest.mark.parametrize("pix_fmt", FORMATS)
@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize("size", [(161, 121), (160, 118)])
def test_an_edit_of_a_field_knows_and_changes_its_own_lines_only(pix_fmt, parity, size):
    info, affine = video_info(pix_fmt, size), np.array([[1.7, 0, 20.3], [0, 1.7, -9.6]])
    made = []
    for frame in (noise_frame(pix_fmt, size), with_other_lines(noise_frame(pix_fmt, size), parity)):
        before, field = copied(frame), Field(frame, parity)
        crop = crop_rgb(field, info, affine, 64)
        edited = np.roll(crop, 3, axis=1)
        carry_detail(
            field, info, crop, edited, float(np.iinfo(crop.dtype).max), disc(64, 0.8), affine,
            "replicate",
        )  # fmt: skip
        paste_residual(field, info, residual(64), disc(64, 0.8), affine)
        after = copied(frame)
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old[1 - parity :: 2], new[1 - parity :: 2])
            assert (old[parity::2] != new[parity::2]).mean() > 0.1
        made.append((crop, [view[parity::2] for view in after]))
    np.testing.assert_array_equal(made[0][0], made[1][0])
    for one, other in zip(made[0][1], made[1][1], strict=True):
        np.testing.assert_array_equal(one, other)


def slope(pix_fmt, size, sites):
    """A frame whose red grows and blue falls evenly from line to line; Y, Cb and Cr are exact.

    Args:
        sites: (lines of a plane, luma lines per line of it, plane) → where each line lies.
    """
    frame = av.VideoFrame(*size, pix_fmt)
    for number, view in enumerate(plane_views(frame)):
        y = sites(len(view), number)
        value = (60 + 1.0 * y, 170 - 0.7 * y, 80 + 0.9 * y)[number]
        view[...] = np.rint(value * 64)[:, None]
    return frame


def frame_sited(lines, plane):
    """Chroma of H.264 and MPEG-2: in the middle between two lines of the frame."""
    return np.arange(lines) * 1.0 if plane == 0 else 2.0 * np.arange(lines) + 0.5


def field_sited(lines, plane):
    """Chroma of DV: each field's chroma line lies on every second line of that field."""
    number = np.arange(lines)
    return number * 1.0 if plane == 0 else 4.0 * (number // 2) + number % 2


@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize(
    ("codec", "place", "sites"),
    [("h264", "left", frame_sited), ("dvvideo", "topleft", field_sited)],
)
def test_lines_and_chroma_of_a_field_lie_where_they_lay_in_the_scene(parity, codec, place, sites):
    """A slope is linear, so every line between must come out exactly, whatever the field."""
    size = (96, 96)
    frame = slope("yuv420p14le", size, sites)
    info = replace(video_info("yuv420p14le", size), codec=codec, chroma_place=place)
    affine = np.array([[1.0, 0, 16], [0, 1.0, 16]])
    crop = crop_rgb(Field(frame, parity), info, affine, 64).astype(np.float64) / 65535
    y = np.arange(64) + 16.0
    luma, blue, red = (60 + y - 16) / 219, (170 - 0.7 * y - 128) / 224, (80 + 0.9 * y - 128) / 224
    kr, kb = 0.2126, 0.0722
    r, b = luma + (2 - 2 * kr) * red, luma + (2 - 2 * kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    expected = np.clip(np.stack([r, g, b], axis=-1), 0, 1)
    inside = (expected > 0.01) & (expected < 0.99)
    error = np.abs(crop.mean(axis=1) - expected)[inside]
    assert error.max() < 0.002  # a line off would be 0.004 in luma, half a chroma line 0.006


@pytest.mark.parametrize("parity", [0, 1])
def test_a_slope_pasted_into_a_field_meets_its_lines_and_its_chroma(parity):
    size, affine = (96, 96), np.array([[1.0, 0, 16], [0, 1.0, 16]])
    frame, info = noise_frame("yuv420p14le", size), video_info("yuv420p14le", size)
    before = [view.astype(np.int64) for view in plane_views(frame)]
    y = np.arange(64)[:, None, None] / 400
    change = np.broadcast_to(y * np.array([1.0, -0.5, 0.25]), (64, 64, 3)).astype(np.float32)
    paste_residual(Field(frame, parity), info, change, np.ones((64, 64), np.float32), affine)
    kr, kb = 0.2126, 0.0722
    luma = kr - 0.5 * (1 - kr - kb) + 0.25 * kb
    units = luma * 219, (0.25 - luma) / (2 - 2 * kb) * 224, (1.0 - luma) / (2 - 2 * kr) * 224
    for number, (view, old) in enumerate(zip(plane_views(frame), before, strict=True)):
        step = 1 if number == 0 else 2
        lines = np.arange(parity, len(view), 2)
        at = lines * step + (0.0 if number == 0 else 0.5)
        inner = (at > 20) & (at < 74)
        added = (view.astype(np.int64) - old)[lines][:, 24 // step : 72 // step].mean(axis=1) / 64
        expected = (at - 16) / 400 * units[number]
        assert np.abs(added - expected)[inner].max() < 0.0006 * abs(
            units[number]
        )  # a half line: .00125


def test_detail_of_a_field_moves_wholly_with_a_crop_of_its_own_pixels():
    """No line of the crop between the field's own must soften what is pasted on those."""
    size = (128, 128)
    frame, info = av.VideoFrame(*size, "gray"), video_info("gray", size, full=True)
    (view,) = plane_views(frame)
    view[...] = np.random.default_rng(3).integers(60, 190, view.shape)
    affine = np.array([[1.0, 0, 16], [0, 1.0, 16]])
    field = Field(frame, 1)
    crop = crop_rgb(field, info, affine, 96).astype(np.float32) / 255
    moved = np.roll(crop, 4, axis=1)
    weight = np.zeros((96, 96), np.float32)
    weight[8:-8, 8:-8] = 1
    was = view[1::2].copy()
    paste_residual(field, info, moved - crop, weight, affine)
    inner = slice(20, 40), slice(30, 90)
    now = view[1::2]
    assert np.abs(now[inner].astype(int) - np.roll(was, 4, axis=1)[inner]).max() <= 1


def test_a_field_alone_and_back_in_its_frame_is_a_picture_of_full_height():
    y = np.arange(61)
    frame = av.VideoFrame(32, 61, "gray")
    (view,) = plane_views(frame)
    view[...] = (2 * y)[:, None]
    for parity in (0, 1):
        field = Field(frame, parity)
        alone = field.alone()
        assert (alone.height, alone.width) == (61 // 2 + 1 - parity, 32)
        whole = field.in_frame(alone.to_ndarray()[..., None])[..., 0]
        inner = slice(2, -2)
        np.testing.assert_array_equal(whole[inner], np.repeat((2 * y)[inner, None], 32, axis=1))


def test_chroma_that_a_bottom_field_lacks_is_neither_read_nor_written():
    """Of 486 lines in 4:2:0 the bottom field has 243 lines and 121 of chroma."""
    size = (64, 54)
    frame, info = noise_frame("yuv420p", size), video_info("yuv420p", size)
    affine = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    paste_residual(Field(frame, 1), info, residual(64), np.ones((64, 64), np.float32), affine)
    assert sample_layout("yuv420p").step_y == 2
    alone = Field(frame, 1).alone()
    assert [len(view) for view in plane_views(alone)] == [27, 14, 14]
    assert cv2.countNonZero(plane_views(alone)[1]) > 0
