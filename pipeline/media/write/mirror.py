"""Which encoder gives back what a clip was: same codec, pixel format, profile and tags.

Quality is near-transparent rather than equal in bits: x264 crf 17, x265 crf 18, SVT-AV1 crf 20,
libvpx crf 18, quantiser 2 for MPEG-2, MPEG-4 and Motion JPEG, the source's own profile for the
intra codecs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from av.codec import Codec

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo
from pipeline.media.read.scan import FrameIndex

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower",
           "veryslow")  # fmt: skip
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

DEFAULT_GOP = 250
BOTTOM_FIRST = (3, 5)
"""FFmpeg's field orders whose bottom field is shown first."""


@dataclass(frozen=True)
class EncodeSettings:
    """How every piece of one clip is encoded; equal settings give equal bytes and join by packet.

    Attributes:
        encoder: FFmpeg's name, e.g. `libx264`.
        pix_fmt: what the encoder is fed; the source's own, but for gbrp under x264 (packed rgb).
        options: the encoder's private options.
        piece_format: container of a piece; each holds its codec and any time base exactly.
        frame_rate: nominal, `num/den`; the encoder counts in it, true times go onto the packets.
        gop: most frames between key frames.
        threads: fixed, because x264's and x265's output depends on it, and so never on the machine.
        codec_tag: for the container, or None for its default.
        interlaced: encode fields as fields.
        preset: as asked for.
        warnings: what of the source this cannot keep, one line each.
        changes: topics of the witness that were asked to change, as `bit depth`.
    """

    encoder: str
    pix_fmt: str
    options: dict[str, str]
    piece_format: str
    frame_rate: str
    gop: int = DEFAULT_GOP
    threads: int = 2
    codec_tag: str | None = None
    interlaced: bool = False
    preset: str = "medium"
    warnings: tuple[str, ...] = field(default=())
    changes: tuple[str, ...] = field(default=())


def mirror_settings(
    info: VideoInfo, preset: str = "medium", *, index: FrameIndex | None = None
) -> EncodeSettings:
    """Settings that mirror a source.

    Args:
        preset: x264's names for speed against size, mapped sensibly for other encoders.
        index: of the source; its longest group of pictures then bounds ours (an all-intra source
            stays all-intra).
    Raises:
        MediaError: an unknown preset; a codec, profile or pixel format no encoder here can give
            back (nothing is lowered in silence).
    """
    if preset not in PRESETS:
        raise MediaError(f"no encoder preset {preset!r}; known: {', '.join(PRESETS)}")
    if info.codec not in MIRRORS:
        raise MediaError(
            f"{info.path}: cannot write {info.codec} video; known: {', '.join(sorted(MIRRORS))}"
        )
    rate = (info.frame_rate if 1 <= info.frame_rate <= 1000 else Fraction(25)).limit_denominator(
        1001
    )
    base = EncodeSettings("", info.pix_fmt, {}, "mp4", str(rate), preset=preset)
    settings = MIRRORS[info.codec](info, replace(base, gop=_longest_gop(index)))
    known = [f.name for f in Codec(settings.encoder, "w").video_formats or []]
    if settings.pix_fmt not in known:
        raise MediaError(
            f"{info.path}: {settings.encoder} cannot write {info.pix_fmt}; "
            f"known: {', '.join(known)}"
        )
    return settings


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
    options = {"preset": base.preset, "crf": "17", "a53cc": "0"}
    params = ["open-gop=0"]
    if info.interlaced:
        params.append("bff=1" if info.field_order in BOTTOM_FIRST else "tff=1")
    rgb = info.pix_fmt == "gbrp"
    profile = {"Baseline": "baseline", "Constrained Baseline": "baseline", "Main": "main"}
    if info.profile in profile and not info.interlaced:
        options["profile"] = profile[info.profile]
    if info.profile == "High 4:4:4 Predictive" and not (rgb or "444" in info.pix_fmt):
        options = {"preset": base.preset, "qp": "0"}  # of that profile only lossless is left then
    mastering, light = _hdr_values(info)
    if mastering:
        params.append(f"mastering-display={mastering}")
    if light:
        params.append(f"cll={light}")
    options["x264-params"] = ":".join(params)
    return replace(
        base,
        encoder="libx264rgb" if rgb else "libx264",
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
    return replace(
        base,
        encoder="libx265",
        options={"preset": base.preset, "crf": "18", "a53cc": "0", "x265-params": ":".join(params)},
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
    options = {"preset": str(SVT_PRESET[base.preset]), "crf": "20"}
    return replace(
        base, encoder="libsvtav1", options={**options, "svtav1-params": ":".join(params)}
    )


def _vpx(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    options = {"crf": "18", "b": "0", "deadline": "good", "cpu-used": str(VPX_SPEED[base.preset])}
    if info.codec == "vp8":
        # libvpx's VP8 has no rate-free quality mode: an ample rate leaves the choice to crf.
        pixels_per_s = info.width * info.height * Fraction(base.frame_rate)
        options |= {"crf": "6", "b": str(int(pixels_per_s * 2)), "auto-alt-ref": "0"}
        return replace(base, encoder="libvpx", options=options, piece_format="nut")
    if info.pix_fmt.startswith("yuva"):
        raise MediaError(f"{info.path}: a VP9 alpha channel lies in side data and would be lost")
    return replace(base, encoder="libvpx-vp9", options=options, warnings=_no_hdr(info, "VP9"))


def _prores(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    profile = PRORES_PROFILES.get(info.profile or "")
    if profile is None:
        known = ", ".join(PRORES_PROFILES)
        raise MediaError(f"{info.path}: no ProRes profile {info.profile!r}; known: {known}")
    options = {"profile": str(profile)}
    if info.pix_fmt.startswith("yuva"):
        options["alpha_bits"] = "16"
    return replace(base, encoder="prores_ks", options=options, piece_format="mov", gop=1,
                   interlaced=info.interlaced, warnings=_no_hdr(info, "ProRes"))  # fmt: skip


def _dnxhd(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    profile = DNXHR_PROFILES.get((info.profile or "").upper(), "dnxhd")
    options = {"profile": profile}
    if profile == "dnxhd":
        nominal = min(DNXHD_MBIT, key=lambda known: abs(known * 1e6 - info.bit_rate))
        options["b"] = f"{nominal}M"
    return replace(base, encoder="dnxhd", options=options, piece_format="mov", gop=1,
                   interlaced=info.interlaced)  # fmt: skip


def _mjpeg(_: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    options = {"qmin": "2", "qmax": "2", "huffman": "optimal"}
    return replace(base, encoder="mjpeg", options=options, piece_format="mov", gop=1)


def _ffv1(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    options = {"level": "3", "slicecrc": "1", "slices": "4"}
    return replace(base, encoder="ffv1", options=options, piece_format="nut", gop=1,
                   interlaced=info.interlaced)  # fmt: skip


def _mpeg2(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    rate = min(MPEG2_RATES, key=lambda known: abs(known - Fraction(base.frame_rate)))
    b_frames = {} if base.gop == 1 else {"bf": "2"}
    options = {"qmin": "2", "qmax": "2", "b": str(max(info.bit_rate, 8_000_000)), **b_frames}
    return replace(base, encoder="mpeg2video", options=options, frame_rate=str(rate),
                   interlaced=info.interlaced or info.shows_fields)  # fmt: skip


def _mpeg4(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    options = {"qmin": "2", "qmax": "2", "b": str(max(info.bit_rate, 8_000_000))}
    return replace(base, encoder="mpeg4", options=options, interlaced=info.interlaced)


MIRRORS: dict[str, Callable[[VideoInfo, EncodeSettings], EncodeSettings]] = {
    "h264": _h264,
    "hevc": _hevc,
    "av1": _av1,
    "vp9": _vpx,
    "vp8": _vpx,
    "prores": _prores,
    "dnxhd": _dnxhd,
    "mjpeg": _mjpeg,
    "ffv1": _ffv1,
    "mpeg2video": _mpeg2,
    "mpeg4": _mpeg4,
}


def _progressive_only(info: VideoInfo, name: str) -> tuple[str, ...]:
    if not info.interlaced:
        return ()
    return (f"interlaced {name}: the frames are kept, their field flags are not",)


def _no_hdr(info: VideoInfo, name: str) -> tuple[str, ...]:
    if info.hdr == (None, None):
        return ()
    return (f"{name} has no place for mastering display and light level: they are lost",)


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
