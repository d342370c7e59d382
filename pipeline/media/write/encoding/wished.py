"""What an output's video is to be: its source's, but for what was wished; and what is refused."""

from __future__ import annotations

from dataclasses import replace

from av.codec import Codec
from av.video.format import VideoFormat

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo
from pipeline.settings import EncodeWish

ENCODERS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9",
            "prores": "prores_ks", "dnxhr": "dnxhd", "mjpeg": "mjpeg", "ffv1": "ffv1"}  # fmt: skip
"""What `--codec` knows."""
CODEC_OF = {"dnxhr": "dnxhd"}
WRITTEN = frozenset(
    ("h264", "hevc", "av1", "vp9", "vp8", "prores", "dnxhd", "dvvideo", "mjpeg", "ffv1",
     "mpeg2video", "mpeg4", "qtrle", "png", "huffyuv", "ffvhuff", "utvideo", "magicyuv",
     "v210")
)  # fmt: skip
DOVI_WITHOUT_BASE = 5
ALLOWANCES = ("dolby-vision", "second-eye", "alpha")


def wished_video(info: VideoInfo, wish: EncodeWish) -> VideoInfo:
    """The source as the output is to be: its codec, profile and pixel format.

    Raises:
        MediaError: an unknown codec or depth, or a source that would be lost in part; the line
            says the way out.
    """
    refuse_losses(info, wish)
    if wish.codec == "same" and info.codec not in WRITTEN:
        raise MediaError(
            f"{info.path}: cannot write {info.codec} video; known: {', '.join(sorted(WRITTEN))}; "
            f"{way_out(info)}"
        )
    if wish.codec != "same" and wish.codec not in ENCODERS:
        raise MediaError(f"--codec {wish.codec}: known: same, {', '.join(ENCODERS)}")
    codec = info.codec if wish.codec == "same" else CODEC_OF.get(wish.codec, wish.codec)
    profile = info.profile if codec == info.codec else None
    if codec == info.codec and wish.bit_depth in (None, info.bit_depth):
        return info
    pix_fmt = _nearest(info, codec, wish.bit_depth)
    depth = VideoFormat(pix_fmt, 2, 2).components[0].bits
    profile = profile if depth == info.bit_depth else None
    return replace(info, codec=codec, profile=profile, pix_fmt=pix_fmt, bit_depth=depth, header=b"")


def refuse_losses(info: VideoInfo, wish: EncodeWish) -> None:
    """Refuse what would lose a part of the picture itself.

    Raises:
        MediaError: Dolby Vision without a base picture, a second eye's layer, an alpha channel the
            decoder does not see; `--allow` accepts each by name.
    """
    unknown = [a for a in wish.allow if a not in ALLOWANCES]
    if unknown:
        raise MediaError(f"--allow {unknown[0]}: known: {', '.join(ALLOWANCES)}")
    found = {
        "dolby-vision": (
            info.dolby_vision is not None and info.dolby_vision[0] == DOVI_WITHOUT_BASE,
            "Dolby Vision profile 5, whose picture is coded in colours of its own (IPT)",
            "convert it to profile 8.1 first, as dovi_tool does",
        ),
        "second-eye": (
            info.layers > 1,
            "stereo video in two layers (MV-HEVC), of which the second eye's is not decoded",
            "split the eyes into two files first",
        ),
        "alpha": (
            info.hides_alpha,
            f"an alpha channel beside its {info.codec} pictures, which would be lost",
            "convert it first: ffmpeg -c:v libvpx-vp9 -i IN -c:v prores_ks -profile:v 4444 OUT.mov",
        ),
    }  # fmt: skip
    for name, (is_there, what, instead) in found.items():
        if is_there and name not in wish.allow:
            raise MediaError(f"{info.path}: holds {what}; {instead}, or pass --allow {name}")


def _nearest(info: VideoInfo, codec: str, bit_depth: int | None) -> str:
    """The pixel format of an encoder that is nearest to a source's, and loses nothing not asked.

    Raises:
        MediaError: none keeps the depth, chroma and alpha.
    """
    encoder = {"dnxhd": "dnxhd", **{CODEC_OF.get(k, k): v for k, v in ENCODERS.items()}}.get(codec)
    if encoder is None:
        raise MediaError(f"{info.path}: --bit-depth needs --codec for {codec}: nothing to choose")
    formats = [f.name for f in Codec(encoder, "w").video_formats or []]
    have = _shape(info.pix_fmt)
    wanted = (bit_depth or have[0], *have[1:])
    able = [n for n in formats if _holds(_shape(n), wanted, exact_depth=bit_depth is not None)]
    if codec == "prores" and not able:  # no depth of its own; the encoder takes 10 bits
        able = [n for n in formats if _holds(_shape(n), (10, *have[1:]), exact_depth=False)]
    if not able:
        raise MediaError(
            f"{info.path}: {encoder} cannot hold {info.pix_fmt}"
            f"{f' in {bit_depth} bits' if bit_depth else ''}; known: {', '.join(formats)}"
        )
    return min(able, key=_cost)


def _cost(pix_fmt: str) -> tuple[int, int, int, str]:
    """How much larger than needed a format is."""
    depth, columns, rows, _, _ = _shape(pix_fmt)
    return columns * rows, depth, columns, pix_fmt


def _shape(pix_fmt: str) -> tuple[int, int, int, bool, bool]:
    """Depth, columns and rows of chroma per 8 of luma, RGB or not, alpha or not."""
    probe = VideoFormat(pix_fmt, 8, 8)
    colours = [c for c in probe.components if not c.is_alpha]
    has_alpha = any(c.is_alpha for c in probe.components)
    return colours[0].bits, colours[-1].width, colours[-1].height, probe.is_rgb, has_alpha


def _holds(
    shape: tuple[int, int, int, bool, bool],
    wanted: tuple[int, int, int, bool, bool],
    *,
    exact_depth: bool,
) -> bool:
    deep = shape[0] == wanted[0] if exact_depth else shape[0] >= wanted[0]
    fine = shape[1] >= wanted[1] and shape[2] >= wanted[2]
    return deep and fine and shape[3] == wanted[3] and shape[4] == wanted[4]


def way_out(info: VideoInfo) -> str:
    """What to pass for a source whose own codec cannot be written."""
    able = []
    keeping = ("h264", "prores", "ffv1") if info.interlaced else ("hevc", "av1", "prores", "ffv1")
    for name in keeping:  # flags of fields are kept by few
        try:
            _nearest(info, CODEC_OF.get(name, name), None)
        except MediaError:
            continue
        able.append(name)
    return f"pass --codec {' or '.join(able)}" if able else "convert it first"


def changes_of(info: VideoInfo, target: VideoInfo) -> tuple[str, ...]:
    """Topics of the witness that were asked to change."""
    changed: list[str] = []
    if target.codec != info.codec:
        changed += ["codec", "pixel format"]
    if target.bit_depth != info.bit_depth:
        changed += ["bit depth", "pixel format"]
    if info.hides_alpha:
        changed += ["alpha", "alpha samples"]
    return tuple(changed)
