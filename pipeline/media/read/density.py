"""How rich in bits footage is: what tells a camera's master from a copy for viewing."""

from __future__ import annotations

from pipeline.media.info import VideoInfo
from pipeline.media.read.frame_index import FrameIndex

MASTER_BITS = 0.6
"""Bits per pixel from which footage is a master: 37 Mbit/s at 1080p30, 12 times a stream's."""
INTRA_CODECS = frozenset(("prores", "dnxhd", "mjpeg", "cfhd", "jpeg2000", "dvvideo"))


def bits_per_pixel(info: VideoInfo, index: FrameIndex) -> float:
    """Bits of coded video per pixel shown; 0 where nobody counted."""
    return 8 * int(index.size.sum()) / max(1, info.width * info.height * len(index))


def is_master(info: VideoInfo, index: FrameIndex) -> bool:
    """Whether footage is of a kind whose losses people will see after further work."""
    intra = info.codec in INTRA_CODECS or (len(index) > 1 and bool(index.is_key.all()))
    return intra or bits_per_pixel(info, index) >= MASTER_BITS
