"""FFV1 packets decode by their stream's header: which options give an encoder a source's own.

The header holds coder, number of slices, checksums and whether all frames are key frames
(RFC 9043 §4.3); it is coded arithmetically, so the encoder is asked rather than the header read.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import av
from av.codec import CodecContext

SLICES = (4, 6, 9, 12, 16, 24, 30, 15, 20, 25, 1, 2, 8, 36, 42, 49, 64)
"""Counts that FFmpeg takes, the usual first."""
CODERS = ("range_def", "rice", "range_tab")
INTRA, INTER = 1, 12
"""Most frames between key frames."""


@lru_cache(maxsize=64)
def options_like(
    header: bytes, width: int, height: int, pix_fmt: str
) -> tuple[tuple[tuple[str, str], ...], int] | None:
    """Options under which FFmpeg's encoder writes exactly this header, and frames between keys.

    Args:
        header: of the source's stream; empty for versions below 3, which have none.
    Returns:
        None where no options do: the source's packets and ours need different headers.
    """
    if not header:
        return None
    for gop, checksum, slices, coder in product((INTRA, INTER), ("1", "0"), SLICES, CODERS):
        options = {"level": "3", "slices": str(slices), "coder": coder, "slicecrc": checksum}
        if _header((width, height, pix_fmt), gop, options) == header:
            return tuple(options.items()), gop
    return None


def _header(shape: tuple[int, int, str], gop: int, options: dict[str, str]) -> bytes:
    context: Any = CodecContext.create("ffv1", "w")
    context.width, context.height, context.pix_fmt = shape
    context.time_base, context.gop_size = Fraction(1, 25), gop
    context.options = options
    try:
        context.open()
    except (av.FFmpegError, OSError):  # a number of slices that the size does not allow
        return b""
    return context.extradata or b""
