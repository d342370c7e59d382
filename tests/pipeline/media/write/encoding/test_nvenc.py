"""NVENC without one: what it is told, what it is refused for, and the probe that looks for it.

The probe is a pair of ordinary encoder and decoder, so the CPU's encoders stand in for the GPU's.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.media.planes import VideoFrame, all_plane_views, sample_layout
from pipeline.media.read.inspection import inspect_video
from pipeline.media.write.encoding import nvenc
from pipeline.media.write.encoding.convert import FrameConverter
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.settings import EncodeWish

ENCODED = EncodeWish(encoder="nvenc", untouched="encode")
STAND_IN = EncodeSettings("libx264", "yuv420p", {"crf": "17", "bf": "0"}, "mp4", "25")
needs_no_nvenc = pytest.mark.skipif(nvenc.why_not_nvenc() is None, reason="NVENC is here")


@pytest.fixture
def told(footage):
    """`told(wish, …)` → settings for a small H.264 clip that is what the keywords say."""
    seen = inspect_video(footage())

    def settings(wish: EncodeWish = ENCODED, preset: str = "medium", **source):
        return mirror_settings(
            replace(seen.info, **source), preset, index=seen.index, wish=replace(wish)
        )

    return settings


def test_a_clip_is_encoded_at_a_constant_quantiser_in_closed_groups_without_reordering(told):
    made = told(profile="High")
    assert (made.encoder, made.pix_fmt) == ("h264_nvenc", "yuv420p")
    assert made.options == {
        "preset": "p5", "tune": "hq", "rc": "constqp", "qp": "17",
        "bf": "0", "forced-idr": "1", "extra_sei": "0", "a53cc": "0",
    }  # fmt: skip
    usual = told(EncodeWish(untouched="encode"))
    assert (made.gop, made.frame_rate, made.piece_format) == (
        usual.gop, usual.frame_rate, usual.piece_format)  # fmt: skip
    assert not made.copies_groups
    assert not made.copies_untouched


@pytest.mark.parametrize(
    ("wish", "source", "encoder", "options"),
    [
        ({"quality": "high"}, {}, "h264_nvenc", {"qp": "4"}),
        ({"quality": "23"}, {}, "h264_nvenc", {"qp": "23"}),
        ({"quality": "lossless"}, {}, "h264_nvenc", {"tune": "lossless", "qp": None}),
        ({}, {"profile": "Main"}, "h264_nvenc", {"profile": "main"}),
        ({"codec": "hevc"}, {}, "hevc_nvenc", {"qp": "18", "profile": None}),
        ({"codec": "av1"}, {}, "av1_nvenc", {"qp": "80", "a53cc": None}),
        ({"codec": "av1", "quality": "63"}, {}, "av1_nvenc", {"qp": "252"}),
    ],
)
def test_qualities_mean_what_they_mean_on_the_cpu(told, wish, source, encoder, options):
    made = told(replace(ENCODED, **wish), **source)
    assert made.encoder == encoder
    assert {name: made.options.get(name) for name in options} == options
    assert made.codec_tag == ("hvc1" if encoder == "hevc_nvenc" else None)


def test_an_intra_source_stays_intra(footage):
    seen = inspect_video(footage(gop=1, options={"preset": "ultrafast"}))
    made = mirror_settings(seen.info, index=seen.index, wish=ENCODED)
    assert (made.gop, made.options["g"]) == (1, "0")


@pytest.mark.parametrize(
    ("wish", "source", "line"),
    [
        ({"codec": "prores"}, {}, "NVENC writes h264, hevc, av1, not prores"),
        ({}, {"pix_fmt": "yuv420p12le", "bit_depth": 12}, "fed yuv420p12le; libx264 can"),
        ({"codec": "av1"}, {"pix_fmt": "yuv444p"}, "cannot"),
        ({}, {"field_order": 2}, "h264_nvenc cannot keep interlaced fields; libx264 can: --enc"),
        ({}, {"hdr": (b"\0" * 96, None)}, "mastering display"),
        ({}, {"chroma_place": "topleft"}, r"where chroma lies \(topleft\)"),
        ({"codec": "av1", "quality": "lossless"}, {}, "av1_nvenc is never lossless"),
        ({"untouched": "copy"}, {}, "pass --untouched encode with --encoder nvenc"),
    ],
)
def test_what_it_cannot_keep_is_refused_with_who_can(told, wish, source, line):
    with pytest.raises(MediaError, match=line):
        told(replace(ENCODED, **wish), **source)


@pytest.mark.parametrize("pix_fmt", nvenc.FED)
def test_what_it_is_fed_holds_every_sample(pix_fmt):
    frame = VideoFrame(66, 50, pix_fmt)
    frame.pts, frame.time_base, frame.duration = 0, Fraction(1, 25), 1
    rng = np.random.default_rng(0)
    for plane in all_plane_views(frame):
        plane[...] = rng.integers(0, sample_layout(pix_fmt).full_scale + 1, plane.shape)
    fed = FrameConverter(nvenc.FED[pix_fmt][-1])(frame)
    back = FrameConverter(pix_fmt)(fed)
    for before, after in zip(all_plane_views(frame), all_plane_views(back), strict=True):
        np.testing.assert_array_equal(before, after)


@needs_no_nvenc
def test_a_machine_without_it_says_so_and_names_the_way_out(told):
    with pytest.raises(
        MediaError, match=r"^--encoder nvenc: h264_nvenc does not work here with yuv420p: \S.*"
        "; pass --encoder cpu$",
    ):  # fmt: skip
        nvenc.check_encoder(told())
    nvenc.check_encoder(STAND_IN)  # of the CPU's nothing is asked


def test_the_probe_passes_an_encoder_that_gives_back_what_it_was_given():
    assert nvenc.why_not(STAND_IN) is None
    lossless = replace(STAND_IN.quality, lossless=True)
    assert nvenc.why_not(replace(STAND_IN, options={"qp": "0"}, quality=lossless)) is None


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"options": {"crf": "17", "bf": "2"}}, "packets out of their order"),
        ({"options": {"preset": "no such"}}, "libx264 does not work here with yuv420p: "),
        ({"quality": replace(STAND_IN.quality, lossless=True)}, r"pictures \d.* levels off"),
    ],
)
def test_the_probe_refuses_what_would_not_join_or_keep(change, line):
    assert nvenc.why_not(STAND_IN) is None
    with pytest.raises(AssertionError, match=line):
        assert not nvenc.why_not(replace(STAND_IN, **change)), nvenc.why_not(
            replace(STAND_IN, **change)
        )


def test_the_probe_sees_a_wrong_plane(monkeypatch):
    honest = nvenc._decoded

    def swapped(context, packets):
        for frame in honest(context, packets):
            _, u, v = all_plane_views(frame)
            u[...], v[...] = v.copy(), u.copy()
            yield frame

    monkeypatch.setattr(nvenc, "_decoded", swapped)
    nvenc._why_not.cache_clear()
    assert "levels off" in (nvenc.why_not(STAND_IN) or "")
    nvenc._why_not.cache_clear()


def test_a_choice_of_encoder_renames_only_what_it_wrote():
    assert "encoder" not in EncodeWish().told
    assert EncodeWish(encoder="nvenc").told["encoder"] == "nvenc"
