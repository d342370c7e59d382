"""Which encoders this FFmpeg has, of those that mirror a source (see mirror.py)."""

from __future__ import annotations

from av.codec import Codec
from av.codec.codec import UnknownCodecError

ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "vp8": "libvpx",
    "prores": "prores_ks",
    "dnxhd": "dnxhd",
    "dvvideo": "dvvideo",
    "mjpeg": "mjpeg",
    "ffv1": "ffv1",
    "mpeg2video": "mpeg2video",
    "mpeg4": "mpeg4",
    "qtrle": "qtrle",
    "png": "png",
    "huffyuv": "huffyuv",
    "ffvhuff": "ffvhuff",
    "utvideo": "utvideo",
    "magicyuv": "magicyuv",
    "v210": "v210",
}
"""Source codec → the encoder that writes it."""


def missing_encoders() -> dict[str, str]:
    """Those of ENCODERS that are not in this build."""
    return {codec: name for codec, name in ENCODERS.items() if not _is_here(name)}


def _is_here(name: str) -> bool:
    try:
        Codec(name, "w")
    except UnknownCodecError:
        return False
    return True
