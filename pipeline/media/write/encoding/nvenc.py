"""NVENC, the encoder beside the cores of most NVIDIA GPUs, in place of the CPU's.

What it cannot keep of a source is refused before any work; whether it is here is found out by
encoding a few pictures with the very settings and decoding them again: no list of GPUs says which
depth, chroma or lossless mode a driver offers (A100 and H100 have no NVENC at all).

Source of the options: FFmpeg's documentation and source of `nvenc`; AV1's quantiser follows
SVT-AV1's own table of `crf`, about four of its 255 to one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from av.codec import Codec, CodecContext
from av.codec.codec import UnknownCodecError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo
from pipeline.media.planes import VideoFrame, all_plane_views
from pipeline.media.write.encoding.convert import FrameConverter
from pipeline.media.write.encoding.settings import PRESETS, EncodeSettings

NVENC = {"h264": "h264_nvenc", "hevc": "hevc_nvenc", "av1": "av1_nvenc"}
"""Codec → FFmpeg's encoder."""
CPU_ENCODERS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}
DECODERS = {"av1": "libdav1d"}
"""Where FFmpeg's own of the codec's name only drives hardware."""
SPEED: dict[str, int] = dict(zip(PRESETS, (1, 1, 2, 3, 3, 5, 6, 7, 7), strict=True))
"""NVENC's p1 (fastest) to p7."""
FED = {
    "yuv420p": ("yuv420p",), "yuv422p": ("nv16",), "yuv444p": ("yuv444p",),
    "yuv420p10le": ("p010le",), "yuv422p10le": ("p210le",),
    "yuv444p10le": ("yuv444p10msble", "yuv444p16le"),
}  # fmt: skip
"""A source's format → those that hold its samples exactly; the first that this FFmpeg feeds."""
FED_AV1 = ("yuv420p", "yuv420p10le")
AV1_STEPS, AV1_MOST = 4, 255
USUAL_PLACES = ("unspecified", "left")
PROBE_SIDE, PROBE_FRAMES, PROBE_RATE = 256, 5, 25
CLOSE_LEVELS = 4.0
"""Most mean difference of the probe's soft pictures, 8-bit levels: a wrong plane gives far more."""


def nvenc_settings(info: VideoInfo, base: EncodeSettings) -> EncodeSettings:
    """As the CPU's encoder of the same codec would be set, said in NVENC's words.

    Every group of pictures is closed and nothing is reordered: a key frame is an IDR, B frames are
    off. The quantiser is constant, the number that x264 and x265 take as their crf.

    Args:
        info: the output as it is to be.
    Raises:
        MediaError: what it cannot do, with the encoder that can.
    """
    encoder = NVENC.get(info.codec)
    if encoder is None:
        raise MediaError(
            f"{info.path}: NVENC writes {', '.join(NVENC)}, not {info.codec}; pass --encoder cpu, "
            "or --codec with one of them"
        )
    if why := _loss(info, encoder):
        raise MediaError(
            f"{info.path}: {encoder} cannot {why}; {CPU_ENCODERS[info.codec]} can: --encoder cpu"
        )
    options = {
        "preset": f"p{SPEED[base.preset]}",
        **_quality(info.codec, encoder, base),
        "bf": "0",
        "forced-idr": "1",
        "extra_sei": "0",
        **({} if info.codec == "av1" else {"a53cc": "0"}),
        **({"g": "0"} if base.gop == 1 else {}),
        **_profile(info, base),
    }
    tag = "hvc1" if info.codec == "hevc" else None
    fed = _fed(info, encoder) or info.pix_fmt
    return replace(base, encoder=encoder, pix_fmt=fed, options=options, codec_tag=tag)


def _loss(info: VideoInfo, encoder: str) -> str | None:
    """What of a source it cannot keep, as what it cannot do."""
    if _fed(info, encoder) is None:
        return f"be fed {info.pix_fmt}"
    if info.interlaced:
        return "keep interlaced fields"
    if any(info.hdr):
        return "be told HDR's mastering display and light level"
    if info.chroma_place not in USUAL_PLACES:
        return f"be told where chroma lies ({info.chroma_place})"
    return None


def _fed(info: VideoInfo, encoder: str) -> str | None:
    if info.codec == "av1" and info.pix_fmt not in FED_AV1:
        return None
    try:
        known = {f.name for f in Codec(encoder, "w").video_formats or []}
    except UnknownCodecError:
        raise MediaError(
            f"this FFmpeg has no {encoder}; pass --encoder cpu, or pip install --force-reinstall av"
        ) from None
    return next((name for name in FED.get(info.pix_fmt, ()) if name in known), None)


def _quality(codec: str, encoder: str, base: EncodeSettings) -> dict[str, str]:
    quality = base.quality
    if quality.lossless:
        if codec == "av1":
            quality.refuse_numbers(encoder)
        return {"tune": "lossless"}
    crf = int(quality.options(CPU_ENCODERS[codec])["crf"])
    qp = min(crf * AV1_STEPS, AV1_MOST) if codec == "av1" else crf
    return {"tune": "hq", "rc": "constqp", "qp": str(qp)}


def _profile(info: VideoInfo, base: EncodeSettings) -> dict[str, str]:
    """The source's, where it is less than what an encoder takes by itself."""
    known = {"Baseline": "baseline", "Constrained Baseline": "baseline", "Main": "main"}
    if info.codec != "h264" or base.quality.lossless or info.profile not in known:
        return {}
    return {"profile": known[info.profile]}


def check_encoder(settings: EncodeSettings) -> None:
    """Refuses an NVENC that does not work on this machine; of other encoders nothing is asked.

    Raises:
        MediaError: why, in a line with the way out.
    """
    if settings.encoder in NVENC.values() and (why := why_not(settings)):
        raise MediaError(f"--encoder nvenc: {why}; pass --encoder cpu")


def why_not_nvenc(codec: str = "h264") -> str | None:
    """Why this machine's NVENC cannot write a plain clip; None where it can."""
    plain = {"preset": "p4", "tune": "hq", "rc": "constqp", "qp": "17", "bf": "0"}
    return why_not(EncodeSettings(NVENC[codec], "yuv420p", plain, "mp4", str(PROBE_RATE)))


def why_not(settings: EncodeSettings) -> str | None:
    """Why an encoder does not write a few small pictures as its settings say; None where it does.

    They must come back in number, order and kind, with the first a key frame, decoded by the CPU.
    """
    told = tuple(sorted(settings.options.items()))
    return _why_not(
        settings.encoder, settings.pix_fmt, told, settings.gop, lossless=settings.quality.lossless
    )


@lru_cache(maxsize=64)
def _why_not(
    encoder: str, pix_fmt: str, options: tuple[tuple[str, str], ...], gop: int, *, lossless: bool
) -> str | None:
    given = list(_pictures(pix_fmt))
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)  # else FFmpeg keeps its reason to itself
    logged: list[tuple[int, str, str]] = []
    try:
        with av.logging.Capture() as logged:
            context = _opened(encoder, pix_fmt, dict(options), gop)
            packets = [packet for frame in (*given, None) for packet in context.encode(frame)]
            shown = list(_decoded(context, packets))
    except (av.FFmpegError, OSError, ValueError) as error:
        said = next((text.strip() for _, name, text in logged if name == encoder), str(error))
        return f"{encoder} does not work here with {pix_fmt}: {said}"
    finally:
        av.logging.set_level(level)
    if why := _difference(given, packets, shown, lossless=lossless):
        return f"{encoder} with {pix_fmt} gave {why}"
    return None


def _opened(encoder: str, pix_fmt: str, options: dict[str, str], gop: int) -> VideoCodecContext:
    context = CodecContext.create(encoder, "w")
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{encoder} is no video encoder")
    context.width = context.height = PROBE_SIDE
    context.pix_fmt, context.gop_size, context.options = pix_fmt, gop, options
    context.time_base, context.framerate = Fraction(1, PROBE_RATE), Fraction(PROBE_RATE)
    context.open()
    return context


def _pictures(pix_fmt: str) -> Iterator[VideoFrame]:
    """Soft slopes that move."""
    ramp = np.add.outer(np.arange(PROBE_SIDE), np.arange(PROBE_SIDE)) / (2 * PROBE_SIDE)
    convert = FrameConverter(pix_fmt)
    for number in range(PROBE_FRAMES):
        level = np.roll(40 + 160 * ramp, number, axis=1).round().astype(np.uint8)
        colours = np.stack([level, level[::-1], level[:, ::-1]], axis=2)
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(colours), "rgb24")
        frame.pts, frame.time_base, frame.duration = number, Fraction(1, PROBE_RATE), 1
        yield convert(frame)


def _decoded(context: VideoCodecContext, packets: list[Packet]) -> Iterator[VideoFrame]:
    codec = context.codec.canonical_name
    decoder = CodecContext.create(DECODERS.get(codec, codec), "r")
    if not isinstance(decoder, VideoCodecContext):
        raise TypeError(f"{decoder} is no video decoder")
    decoder.extradata = context.extradata
    for packet in (*packets, None):
        yield from decoder.decode(packet)


def _difference(
    given: list[VideoFrame], packets: list[Packet], shown: list[VideoFrame], *, lossless: bool
) -> str | None:
    """How what came back is not what was given."""
    if len(packets) != len(given) or len(shown) != len(given):
        return f"{len(packets)} packets, {len(shown)} pictures; expected {len(given)}"
    if not packets[0].is_keyframe:
        return "no key frame first"
    if [packet.pts for packet in packets] != list(range(len(given))):
        return "packets out of their order"
    most = max(_mean_levels(a, b) for a, b in zip(given, shown, strict=True))
    if most > (0.0 if lossless else CLOSE_LEVELS):
        return f"pictures {most:.1f} levels off"
    return None


def _mean_levels(given: VideoFrame, shown: VideoFrame) -> float:
    """Of the plane that differs most, in 8-bit levels of the decoder's own format."""
    wanted = FrameConverter(shown.format.name)(given)
    scale = 1 << (shown.format.components[0].bits - 8)
    return max(
        float(np.abs(a.astype(np.int32) - b.astype(np.int32)).mean()) / scale
        for a, b in zip(all_plane_views(wanted), all_plane_views(shown), strict=True)
    )
