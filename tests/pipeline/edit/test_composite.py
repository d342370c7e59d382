"""Cropping and pasting in a frame's own samples, over every kind of pixel format we mirror."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.edit.composite import MASK_FLOOR, paste_residual
from pipeline.errors import MediaError, PipelineError
from pipeline.media.colour import crop_rgb
from pipeline.media.info import Colour, VideoInfo
from pipeline.media.planes import plane_views, sample_layout

FORMATS = [
    "yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuvj420p", "yuvj422p", "yuvj444p", "nv12",
    "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv422p12le", "yuva444p10le",
    "gbrp", "gbrp10le", "gray", "rgb24", "bgra",
]  # fmt: skip
LIMITED, FULL = 1, 2
UNTAGGED = 2


def video_info(pix_fmt: str, size: tuple[int, int], matrix: int = 1, full: bool = False) -> Any:
    full = full or pix_fmt.startswith("yuvj") or sample_layout(pix_fmt).is_rgb
    return VideoInfo(
        path="made.mp4", container="mp4", stream_index=0, codec="h264", profile=None,
        width=size[0], height=size[1], pix_fmt=pix_fmt, bit_depth=sample_layout(pix_fmt).bits,
        time_base=Fraction(1, 25), frame_rate=Fraction(25), clock_start_s=0.0, duration_s=1.0,
        display_matrix=None, rotation=0, mirrored=False, sar=Fraction(1), field_order=1,
        colour=Colour(1, 1, matrix, matrix, FULL if full else LIMITED, full), hdr=(None, None),
        timecode=None, bit_rate=0, declared_frames=1, streams=(), warnings=(),
    )  # fmt: skip


def noise_frame(pix_fmt: str, size: tuple[int, int], contrast: float = 0.1) -> av.VideoFrame:
    """Every plane filled with random samples around its middle, smooth over a few pixels."""
    frame = av.VideoFrame(*size, pix_fmt)
    layout = sample_layout(pix_fmt)
    random = np.random.default_rng(0)
    for view in plane_views(frame):
        rough = random.random(view.shape).astype(np.float32)
        smooth = cv2.GaussianBlur(rough, (0, 0), 3)
        spread = (smooth - smooth.mean()) / smooth.std() * contrast + 0.5
        view[...] = np.clip(spread, 0.1, 0.9) * layout.full_scale
    return frame


def copied(frame: av.VideoFrame) -> list[np.ndarray]:
    return [view.copy() for view in plane_views(frame)]


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size] - (size - 1) / 2
    return np.clip((radius * size / 2 - np.hypot(x, y)) / 4, 0, 1).astype(np.float32)


def residual(size: int, strength: float = 0.3) -> np.ndarray:
    random = np.random.default_rng(1)
    return (random.standard_normal((size, size, 3)) * strength).astype(np.float32)


def luma_inside(mask: np.ndarray, affine: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Where the mask, interpolated at luma centres, reaches its floor; by numpy alone."""
    crop_from_coded = np.linalg.inv(np.vstack([affine, [0, 0, 1]]))
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    u = crop_from_coded[0, 0] * x + crop_from_coded[0, 1] * y + crop_from_coded[0, 2]
    v = crop_from_coded[1, 0] * x + crop_from_coded[1, 1] * y + crop_from_coded[1, 2]
    padded = np.pad(np.where(mask < MASK_FLOOR, 0, mask), 1)
    u, v = np.clip(u + 1, 0, padded.shape[1] - 1.001), np.clip(v + 1, 0, padded.shape[0] - 1.001)
    i, j = u.astype(int), v.astype(int)
    s, t = u - i, v - j
    top = padded[j, i] * (1 - s) + padded[j, i + 1] * s
    bottom = padded[j + 1, i] * (1 - s) + padded[j + 1, i + 1] * s
    return top * (1 - t) + bottom * t > 0


AFFINES = st.tuples(
    st.floats(0.2, 3), st.floats(-0.5, 0.5), st.floats(-40, 120), st.floats(-40, 90)
).map(lambda v: np.array([[v[0], -v[1], v[2]], [v[1], v[0], v[3]]]))


@pytest.mark.parametrize("pix_fmt", FORMATS)
@pytest.mark.parametrize("size", [(162, 122), (161, 121)])
def test_a_zero_residual_changes_nothing_at_all(pix_fmt, size):
    frame, info = noise_frame(pix_fmt, size), video_info(pix_fmt, size)
    before = copied(frame)
    zero, everywhere = np.zeros((64, 64, 3), np.float32), np.ones((64, 64), np.float32)
    paste_residual(frame, info, zero, everywhere, np.array([[1.3, 0, -9.2], [0, 1.3, 20.7]]))
    for old, new in zip(before, copied(frame), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("pix_fmt", FORMATS)
@settings(max_examples=12, deadline=None)
@given(affine=AFFINES, odd=st.booleans(), hard=st.booleans())
def test_not_one_sample_outside_the_mask_changes(pix_fmt, affine, odd, hard):
    size = (161, 121) if odd else (162, 122)
    frame, info = noise_frame(pix_fmt, size), video_info(pix_fmt, size)
    before = copied(frame)
    mask = disc(96, 0.7)
    mask = (mask > 0.5).astype(np.float32) if hard else mask
    paste_residual(frame, info, residual(96), mask, affine)
    layout = sample_layout(pix_fmt)
    inside = luma_inside(mask, affine, size)
    for number, (old, new) in enumerate(zip(before, copied(frame), strict=True)):
        steps = (1, 1) if number == 0 or layout.is_rgb else (layout.step_y, layout.step_x)
        padded = np.pad(inside, [(0, -n % s) for n, s in zip(inside.shape, steps, strict=True)])
        blocks = padded.reshape(
            padded.shape[0] // steps[0], steps[0], padded.shape[1] // steps[1], steps[1]
        )
        assert not ((old != new) & ~blocks.any(axis=(1, 3))).any()


@pytest.mark.parametrize("pix_fmt", [f for f in FORMATS if f != "gray"])
@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("full", [False, True])
def test_a_flat_edit_arrives_within_one_level(pix_fmt, matrix, full):
    size = (160, 120)
    frame, info = noise_frame(pix_fmt, size), video_info(pix_fmt, size, matrix, full)
    before = [view.astype(int) for view in copied(frame)]
    change = np.array([0.05, -0.03, 0.08], np.float32)
    flat = np.broadcast_to(change, (64, 64, 3)).astype(np.float32)
    paste_residual(
        frame, info, flat, np.ones((64, 64), np.float32), np.array([[1.5, 0, 20], [0, 1.5, 10]])
    )
    layout = sample_layout(pix_fmt)
    if layout.is_rgb:
        expected = change * layout.full_scale
    else:
        kr, kb = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
        luma = kr * change[0] + (1 - kr - kb) * change[1] + kb * change[2]
        whole = info.colour.full_range
        depth = 2 ** (layout.bits - 8)
        luma_range = layout.full_scale if whole else 219 * depth
        chroma_range = layout.full_scale if whole else 224 * depth
        expected = np.array(
            [
                luma * luma_range,
                (change[2] - luma) / (2 - 2 * kb) * chroma_range,
                (change[0] - luma) / (2 - 2 * kr) * chroma_range,
            ]
        )
    for number, (old, new) in enumerate(zip(before, copied(frame), strict=True)):
        step = (1, 1) if number == 0 or layout.is_rgb else (layout.step_x, layout.step_y)
        part = slice(20 // step[1], 90 // step[1]), slice(32 // step[0], 96 // step[0])
        assert np.abs(new[part].astype(int) - old[part] - expected[number]).max() <= 0.51


@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv444p10le", "gbrp", "yuv420p", "yuv420p10le"])
def test_an_edit_reads_back_as_it_was_pasted(pix_fmt):
    size = (160, 120)
    frame, info = noise_frame(pix_fmt, size, contrast=0.03), video_info(pix_fmt, size)
    affine = np.array([[1.0, 0, 30], [0, 1.0, 20]])
    crop = crop_rgb(frame, info, affine, 64)
    scale = float(np.iinfo(crop.dtype).max)
    y, x = np.mgrid[0:64, 0:64] / 64
    edit = (np.stack([np.sin(4 * x), np.cos(3 * y), np.sin(3 * x + y)], -1) * 0.04).astype(
        np.float32
    )
    paste_residual(frame, info, edit, np.ones((64, 64), np.float32), affine)
    again = crop_rgb(frame, info, affine, 64)
    error = (again.astype(float) - crop) / scale - edit
    inner = error[4:-4, 4:-4]
    assert np.abs(inner).max() < (2.6 / 255 if sample_layout(pix_fmt).bits == 8 else 0.9 / 255)


def analytic_rgb(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth picture of 0…1 known at every point, well inside the gamut."""
    red = 0.5 + 0.25 * np.sin(x / 17) * np.cos(y / 23)
    green = 0.5 + 0.25 * np.cos(x / 29 + y / 19)
    blue = 0.5 + 0.25 * np.sin(y / 21 - x / 31)
    return np.stack([red, green, blue], axis=-1)


@pytest.mark.parametrize("pix_fmt", [f for f in FORMATS if f != "gray"])
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_a_crop_has_the_colours_of_the_scene(pix_fmt, matrix):
    """Samples are taken from a scene at their true sites; the crop must give the scene back."""
    size = (160, 120)
    info, frame = video_info(pix_fmt, size, matrix), av.VideoFrame(*size, pix_fmt)
    layout = sample_layout(pix_fmt)
    kr, kb = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    for number, view in enumerate(plane_views(frame)):
        step_x, step_y = (1, 1) if number == 0 else (layout.step_x, layout.step_y)
        v, u = np.mgrid[0 : view.shape[0], 0 : view.shape[1]].astype(float)
        # Level with the left luma sample, between the upper and the lower one.
        scene = analytic_rgb(u * step_x, v * step_y + (step_y - 1) / 2)
        luma = kr * scene[..., 0] + (1 - kr - kb) * scene[..., 1] + kb * scene[..., 2]
        depth = 2 ** (layout.bits - 8)
        if layout.is_rgb:
            view[...] = np.rint(scene[..., number] * layout.full_scale)
        elif number == 0:
            black, span = (0, layout.full_scale) if info.colour.full_range else (16, 219)
            view[...] = np.rint(luma * span * (1 if black == 0 else depth) + black * depth)
        else:
            colour = (scene[..., 2] - luma) / (2 - 2 * kb) if number == 1 else None
            colour = (scene[..., 0] - luma) / (2 - 2 * kr) if colour is None else colour
            span = layout.full_scale if info.colour.full_range else 224 * depth
            view[...] = np.rint(colour * span + 128 * depth)
    affine = np.array([[0.9, -0.2, 40], [0.2, 0.9, 20]])
    crop = crop_rgb(frame, info, affine, 64)
    v, u = np.mgrid[0:64, 0:64]
    scene = analytic_rgb(0.9 * u - 0.2 * v + 40, 0.2 * u + 0.9 * v + 20)
    error = np.abs(crop / float(np.iinfo(crop.dtype).max) - scene) * 255
    assert error.mean() < (0.5 if layout.bits == 8 else 0.15)
    assert error.max() < (2.2 if layout.bits == 8 else 0.6)


def test_a_crop_is_black_outside_the_frame():
    size = (160, 120)
    frame, info = noise_frame("yuv420p", size), video_info("yuv420p", size)
    crop = crop_rgb(frame, info, np.array([[1.0, 0, -32.5], [0, 1.0, 80]]), 64)
    assert not crop[:, :31].any()
    assert not crop[41:].any()
    assert crop[:39, 34:].any(axis=2).all()


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "rgb24"])
def test_a_crop_goes_on_with_the_frames_edge_or_its_mirror_image(pix_fmt):
    size, affine = (160, 120), np.array([[1.0, 0, -32], [0, 1.0, 20]])
    frame, info = noise_frame(pix_fmt, size), video_info(pix_fmt, size)
    black, edge, mirror = (
        crop_rgb(frame, info, affine, 64, border).astype(int)
        for border in ("black", "replicate", "reflect")
    )
    white = np.iinfo(crop_rgb(frame, info, affine, 64).dtype).max
    for other in (edge, mirror):
        assert np.array_equal(other[:, 32:], black[:, 32:]), "inside the frame nothing changes"
    assert not black[:, :31].any()
    assert np.abs(edge[:, :28] - edge[:, 32:33]).max() <= white * (
        0.02 if "rgb" in pix_fmt else 0.5
    )
    assert np.ptp(edge[:, :28], axis=1).max() <= white * 0.01, "each row goes on as it ended"
    if pix_fmt == "rgb24":
        assert np.array_equal(mirror[:, 1:32], black[:, 63:32:-1])


def test_a_small_crop_of_a_large_face_averages_rather_than_skips():
    size = (640, 480)
    frame, info = noise_frame("yuv444p", size), video_info("yuv444p", size)
    luma = plane_views(frame)[0]
    luma[...] = np.where(np.arange(640) % 2, 235, 16)[None, :]
    for view in plane_views(frame)[1:]:
        view[...] = 128
    crop = crop_rgb(frame, info, np.array([[6.0, 0, 2.5], [0, 6.0, 2.5]]), 64)
    assert np.abs(crop.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("pix_fmt", ["yuyv422", "rgb565le", "pal8", "yuv420p10be", "p010le"])
def test_a_format_that_cannot_be_edited_is_refused_by_name(pix_fmt):
    with pytest.raises(MediaError, match=f"cannot edit pixel format {pix_fmt}; known: "):
        sample_layout(pix_fmt)


def test_a_matrix_that_is_not_linear_is_refused_by_name():
    size = (160, 120)
    frame, info = noise_frame("yuv444p", size), video_info("yuv444p", size, matrix=14)
    with pytest.raises(MediaError, match="colours coded with matrix code 14; known: bt709"):
        crop_rgb(frame, info, np.eye(2, 3), 64)


def test_a_residual_that_is_not_finite_is_refused_and_leaves_the_frame_alone():
    size = (160, 120)
    frame, info = noise_frame("yuv420p", size), video_info("yuv420p", size)
    before = copied(frame)
    broken = residual(64)
    broken[30, 30] = np.nan
    with pytest.raises(PipelineError, match="not finite"):
        paste_residual(frame, info, broken, disc(64, 0.8), np.eye(2, 3))
    for old, new in zip(before, copied(frame), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [((64, 64), np.float32, "expected"), ((64, 64, 3), np.float64, "expected float32")],
)
def test_a_residual_of_the_wrong_shape_or_type_is_refused(shape, dtype, message):
    frame, info = noise_frame("yuv420p", (64, 64)), video_info("yuv420p", (64, 64))
    with pytest.raises(PipelineError, match=message):
        paste_residual(
            frame, info, np.zeros(shape, dtype), np.ones((64, 64), np.float32), np.eye(2, 3)
        )
