"""Which encoder gives back what a clip was: same codec, pixel format, profile and tags.

Quality follows the source (quality.py beside it): lossless stays lossless, a master is
encoded finely, other footage near-transparently: x264 crf 17, x265 crf 18, SVT-AV1 crf 20, libvpx
crf 18, quantiser 2 for MPEG-2, MPEG-4 and Motion JPEG, the source's own profile for intra codecs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
from av.codec import Codec

from pipeline.errors import MediaError
from pipeline.media.info import BOTTOM_FIRST, VideoInfo
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.source_packets import TWO_LAYERS
from pipeline.media.write.encoding.ffv1 import options_like
from pipeline.media.write.encoding.nvenc import CPU_ENCODERS, nvenc_settings
from pipeline.media.write.encoding.quality import resolve_quality
from pipeline.media.write.encoding.settings import DEFAULT_GOP, PRESETS, EncodeSettings
from pipeline.media.write.encoding.wished import changes_of, way_out, wished_video
from pipeline.settings import EncodeWish

SVT_PRESET: dict[str, int] = dict(zip(PRESETS, (12, 11, 10, 9, 8, 6, 5, 4, 3), strict=True))
VPX_SPEED: dict[str, int] = dict(zip(PRESETS, (5, 5, 4, 4, 3, 2, 1, 1, 0), strict=True))
PRORES_PROFILES = {"Proxy": 0, "LT": 1, "Standard": 2, "HQ": 3, "4444": 4, "XQ": 5}
DNXHR_PROFILES = {"DNXHR LB": "dnxhr_lb", "DNXHR SQ": "dnxhr_sq", "DNXHR HQ": "dnxhr_hq",
                  "DNXHR HQX": "dnxhr_hqx", "DNXHR 444": "dnxhr_444"}  # fmt: skip
MPEG2_RATES = [Fraction(n, d) for n, d in
               ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001),
                (60, 1))]  # fmt: skip
DNXHD_MBIT = (36, 42, 45, 60, 63, 75, 80, 84, 90, 100, 110, 115, 120, 145, 175, 180, 185, 220, 240,
              290, 350, 365, 390, 440)  # fmt: skip
"""Nominal rates of SMPTE VC-3; the encoder takes no others, and files measure about 1 % above."""

MOST_PRORES = "8192"
FINEST_PRORES = "4000"
"""Bits per macroblock at which prores_ks reaches its finest quantiser."""
SELF_CONTAINED = frozenset(("prores", "dnxhd", "dvvideo", "mjpeg", "png", "v210"))
"""Codecs whose every packet decodes alone, whatever the track's description says."""
GROUPED = frozenset(("h264", "hevc"))
"""Codecs whose closed groups of pictures stand beside another encoder's (shared_header.py)."""


def mirror_settings(
    info: VideoInfo,
    preset: str = "medium",
    *,
    index: FrameIndex | None = None,
    wish: EncodeWish | None = None,
) -> EncodeSettings:
    """Settings that mirror a source, but for what was wished otherwise.

    Args:
        preset: x264's names for speed against size, mapped sensibly for other encoders.
        index: of the source; its longest group of pictures then bounds ours (an all-intra source
            stays all-intra), and the size of its packets says whether it is a master.
    Raises:
        MediaError: an unknown preset, quality or codec; a codec, profile or pixel format no encoder
            here can give back (nothing is lowered in silence); the line says the way out.
    """
    wish = wish or EncodeWish()
    if preset not in PRESETS:
        raise MediaError(f"no encoder preset {preset!r}; known: {', '.join(PRESETS)}")
    target = wished_video(info, wish)
    rate = (info.frame_rate if 1 <= info.frame_rate <= 1000 else Fraction(25)).limit_denominator(
        1001
    )
    base = EncodeSettings(
        "", target.pix_fmt, {}, "mp4", str(rate), _longest_gop(index), preset=preset,
        quality=resolve_quality(info, wish.quality, index),
    )  # fmt: skip
    on_gpu = wish.encoder == "nvenc"
    settings = (nvenc_settings if on_gpu else MIRRORS[target.codec])(target, base)
    known = [f.name for f in Codec(settings.encoder, "w").video_formats or []]
    if known and settings.pix_fmt not in known:
        raise MediaError(
            f"{info.path}: {settings.encoder} cannot write {target.pix_fmt}; known: "
            f"{', '.join(known)}; {way_out(info)}"
        )
    changes = changes_of(info, target)
    copies = wish.untouched == "copy" and wish.quality == "match" and not changes
    groups = settings.copies_groups or _has_groups_to_copy(target)
    if on_gpu and copies and groups:
        raise MediaError(
            f"{info.path}: beside {info.codec} packets that are copied from the source only those "
            f"of {CPU_ENCODERS[info.codec]} are known to stand; pass --untouched encode with "
            "--encoder nvenc (every frame is encoded anew), or --encoder cpu"
        )
    alone = target.codec in SELF_CONTAINED or (
        groups and settings.gop == 1 and (target.codec not in GROUPED or _has_groups_of_one(index))
    )
    return replace(
        settings,
        changes=changes,
        copies_untouched=copies and alone,
        copies_groups=copies and groups,
    )


def _has_groups_to_copy(info: VideoInfo) -> bool:
    """Whether packets of a source stand beside our own: not with layers that are left out."""
    if info.codec in SELF_CONTAINED:
        return True
    layered = info.layers > 1 or (info.dolby_vision or (0,))[0] == TWO_LAYERS
    return info.codec in GROUPED and not layered


def _has_groups_of_one(index: FrameIndex | None) -> bool:
    """Whether every frame is a closed group by itself."""
    if index is None or len(index.group) != len(index):
        return False
    return bool((index.group >= 0).all() and (np.diff(index.group) > 0).all())


def _longest_gop(index: FrameIndex | None) -> int:
    if index is None:
        return DEFAULT_GOP
    keys = np.flatnonzero(index.is_key)
    if len(keys) == len(index):
        return 1
    if len(keys) < 2:
        return DEFAULT_GOP
    return int(min(np.diff(keys, append=len(index)).max(), DEFAULT_GOP))


def _h264(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    rgb = info.pix_fmt == "gbrp"
    encoder = "libx264rgb" if rgb else "libx264"
    options = {"preset": base.preset, "a53cc": "0", **base.quality.options(encoder)}
    params = ["open-gop=0"]
    if info.interlaced:
        params.append("bff=1" if info.field_order in BOTTOM_FIRST else "tff=1")
    if base.quality.fine and not base.quality.lossless:
        params.append("trellis=0:no-psy=1:aq-mode=0")  # what they move, they move again each time
    profile = {"Baseline": "baseline", "Constrained Baseline": "baseline", "Main": "main"}
    if info.profile in profile and not info.interlaced and not base.quality.lossless:
        options["profile"] = profile[info.profile]
    mastering, light = _hdr_values(info)
    if mastering:
        params.append(f"mastering-display={mastering}")
    if light:
        params.append(f"cll={light}")
    options["x264-params"] = ":".join(params)
    return replace(
        base,
        encoder=encoder,
        pix_fmt="rgb24" if rgb else info.pix_fmt,
        options=options,
        interlaced=info.interlaced,
    )


def _hevc(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    params = [f"open-gop=0:pools={base.threads}:frame-threads={base.threads}:log-level=none"]
    mastering, light = _hdr_values(info)
    if mastering:
        params.append(f"master-display={mastering}")
    if light:
        params.append(f"max-cll={light}")
    if mastering or light:
        params.append("hdr10=1")
    if base.quality.lossless:
        params.append("lossless=1")
    elif base.quality.fine:
        params.append("psy-rd=0:psy-rdoq=0:rdoq-level=0:aq-mode=0")
    quality = base.quality.options("libx265")
    return replace(
        base,
        encoder="libx265",
        options={
            "preset": base.preset,
            "a53cc": "0",
            **quality,
            "x265-params": ":".join(params),
        },
        codec_tag="hvc1",
        warnings=_progressive_only(info, "HEVC"),
    )


def _av1(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    params = [f"lp={base.threads}"]
    mastering, light = _hdr_values(info, unit=1.0)
    if mastering:
        params.append(f"mastering-display={mastering}")
    if light:
        params.append(f"content-light={light}")
    options = {"preset": str(SVT_PRESET[base.preset]), **base.quality.options("libsvtav1")}
    return replace(
        base, encoder="libsvtav1", options={**options, "svtav1-params": ":".join(params)}
    )


def _vpx(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    options = {"b": "0", "deadline": "good", "cpu-used": str(VPX_SPEED[base.preset])}
    if info.codec == "vp8":
        # libvpx's VP8 has no rate-free quality mode: an ample rate leaves the choice to crf.
        pixels_per_s = info.width * info.height * Fraction(base.frame_rate)
        options |= {"b": str(int(pixels_per_s * 2)), "auto-alt-ref": "0"}
        options |= base.quality.options("libvpx")
        # A second thread of libvpx's VP8 spins for each macroblock until the first is scheduled.
        return replace(base, encoder="libvpx", options=options, piece_format="nut", threads=1)
    options |= base.quality.options("libvpx-vp9")
    return replace(base, encoder="libvpx-vp9", options=options)


def _prores(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    profile = PRORES_PROFILES.get(info.profile or ("4444" if "444" in info.pix_fmt else "HQ"))
    if profile is None:
        known = ", ".join(PRORES_PROFILES)
        raise MediaError(f"{info.path}: no ProRes profile {info.profile!r}; known: {known}")
    base.quality.refuse_numbers("prores_ks")
    options = {"profile": str(profile), "bits_per_mb": FINEST_PRORES}
    if info.pix_fmt.startswith("yuva"):
        options |= {"alpha_bits": "16", "bits_per_mb": MOST_PRORES}  # alpha takes of the bits
    # Its samples have no depth of their own; FFmpeg's encoder takes them in 10 bits.
    return replace(base, encoder="prores_ks", options=options, piece_format="mov", gop=1,
                   pix_fmt=info.pix_fmt.replace("p12le", "p10le"),
                   interlaced=info.interlaced)  # fmt: skip


def _dnxhd(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    default = "dnxhr_hqx" if info.bit_depth > 8 else "dnxhr_hq"
    asked = (info.profile or "").upper()
    profile = DNXHR_PROFILES.get(asked, "dnxhd") if asked else default
    base.quality.refuse_numbers("dnxhd")
    options = {"profile": profile}
    if profile == "dnxhd":
        nominal = min(DNXHD_MBIT, key=lambda known: abs(known * 1e6 - info.bit_rate))
        options["b"] = f"{nominal}M"
    return replace(base, encoder="dnxhd", options=options, piece_format="mov", gop=1,
                   interlaced=info.interlaced)  # fmt: skip


def _dv(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    """The only rate and sizes that DV has; each frame stands alone."""
    base.quality.refuse_numbers("dvvideo")
    return replace(base, encoder="dvvideo", options={}, piece_format="mov", gop=1,
                   interlaced=info.interlaced)  # fmt: skip


def _mjpeg(_: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    base.quality.refuse_numbers("mjpeg")
    finest = "1" if base.quality.fine else "2"
    options = {"qmin": finest, "qmax": finest, "huffman": "optimal"}
    return replace(base, encoder="mjpeg", options=options, piece_format="mov", gop=1)


def _ffv1(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    same = options_like(info.header, info.width, info.height, info.pix_fmt)
    usual = {"level": "3", "slicecrc": "1", "slices": "4"}
    options, gop = (dict(same[0]), same[1]) if same else (usual, 1)
    return replace(base, encoder="ffv1", options=options, piece_format="nut", gop=gop,
                   interlaced=info.interlaced, copies_groups=same is not None)  # fmt: skip


def _mpeg2(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    base.quality.refuse_numbers("mpeg2video")
    rate = min(MPEG2_RATES, key=lambda known: abs(known - Fraction(base.frame_rate)))
    b_frames = {} if base.gop == 1 else {"bf": "2"}
    finest = "1" if base.quality.fine else "2"
    options = {"qmin": finest, "qmax": "2", "b": str(max(info.bit_rate, 8_000_000)), **b_frames}
    return replace(base, encoder="mpeg2video", options=options, frame_rate=str(rate),
                   interlaced=info.interlaced or info.shows_fields)  # fmt: skip


def _mpeg4(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    options = {"qmin": "2", "qmax": "2", "b": str(max(info.bit_rate, 8_000_000))}
    return replace(base, encoder="mpeg4", options=options, interlaced=info.interlaced)


def _plain(
    encoder: str, piece_format: str
) -> Callable[[VideoInfo, EncodeSettings], EncodeSettings]:
    """A lossless codec without a choice."""

    def settings(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
        gop = base.gop if encoder == "qtrle" else 1
        return replace(base, encoder=encoder, options={}, piece_format=piece_format, gop=gop,
                       interlaced=info.interlaced)  # fmt: skip

    return settings


MIRRORS: dict[str, Callable[[VideoInfo, EncodeSettings], EncodeSettings]] = {
    "h264": _h264,
    "hevc": _hevc,
    "av1": _av1,
    "vp9": _vpx,
    "vp8": _vpx,
    "prores": _prores,
    "dnxhd": _dnxhd,
    "dvvideo": _dv,
    "mjpeg": _mjpeg,
    "ffv1": _ffv1,
    "mpeg2video": _mpeg2,
    "mpeg4": _mpeg4,
    "qtrle": _plain("qtrle", "mov"),
    "png": _plain("png", "mov"),
    "huffyuv": _plain("huffyuv", "nut"),
    "ffvhuff": _plain("ffvhuff", "nut"),
    "utvideo": _plain("utvideo", "nut"),
    "magicyuv": _plain("magicyuv", "nut"),
    "v210": _plain("v210", "mov"),
}


def _progressive_only(info: VideoInfo, name: str) -> tuple[str, ...]:
    if not info.interlaced:
        return ()
    return (f"interlaced {name}: the frames are kept, their field flags are not",)


def _hdr_values(info: VideoInfo, unit: float = 0.0) -> tuple[str | None, str | None]:
    """Mastering display and light level as x264, x265 (integers) or SVT-AV1 (`unit` 1) take them.

    FFmpeg's AVMasteringDisplayMetadata: R, G, B and white as x, y rationals, then the least and
    greatest luminance, then whether each group is there.
    """
    mastering, light = info.hdr
    text = None
    if mastering is not None:
        numbers = struct.unpack("=22i", mastering[:88])
        values = [
            Fraction(n, d or 1) for n, d in zip(numbers[0:20:2], numbers[1:20:2], strict=True)
        ]
        scales = [50000] * 8 + [10000] * 2
        shown = [
            str(float(v)) if unit else str(round(v * scale))
            for v, scale in zip(values, scales, strict=True)
        ]
        rx, ry, gx, gy, bx, by, wx, wy, least, most = shown
        text = f"G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({most},{least})"
    levels = ",".join(str(v) for v in struct.unpack("=2I", light[:8])) if light else None
    return text, levels
