"""Whether a stream was coded without loss, from its parameter sets and first packet.

Sources: ITU-T H.264 §7.3.2.1, ITU-T H.265 §7.3.2.3, the VP9 Bitstream Specification §6.2.
"""

from __future__ import annotations

from pipeline.media.bitstream.bits import BitReader, OutOfBitsError
from pipeline.media.bitstream.units import (
    H264_SPS,
    HEVC_PPS,
    parameter_units,
    unescaped,
    unit_format,
)

ALWAYS = frozenset(
    ("ffv1", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "qtrle", "png", "rawvideo", "v210",
     "v410", "r210", "lagarith", "flashsv", "zmbv")
)  # fmt: skip
"""Codecs that know no loss."""
WITH_CHROMA_FORMAT = {100, 110, 122, 244, 44, 83, 86, 118, 128}
VP9_SYNC = 0x498342


def is_lossless(codec: str, extradata: bytes | None, first_packet: bytes) -> bool:
    """Whether every sample comes back as it went in.

    Of H.264 and HEVC their switches for it are read: an encoder that sets them and yet loses some
    is taken as lossless; nothing is lost by that.
    """
    if codec in ALWAYS:
        return True
    try:
        if codec == "vp9":
            return _vp9(first_packet)
        form = unit_format(codec, extradata)
        if form is None:
            return False
        units = [*parameter_units(codec, extradata), *form.split(first_packet)]
        if codec == "h264":
            sets = [u for u in units if form.kind(u) == H264_SPS]
            return bool(sets) and all(_h264(unescaped(u)[1:]) for u in sets)
        sets = [u for u in units if form.kind(u) == HEVC_PPS]
        return bool(sets) and all(_hevc(unescaped(u)[2:]) for u in sets)
    except (OutOfBitsError, IndexError):
        return False


def _h264(sps: bytes) -> bool:
    """qpprime_y_zero_transform_bypass_flag."""
    if sps[0] not in WITH_CHROMA_FORMAT:
        return False
    bits = BitReader(sps)
    bits.read(24)
    bits.unsigned()
    if bits.unsigned() == 3:
        bits.read(1)
    bits.unsigned()
    bits.unsigned()
    return bits.flag()


def _hevc(pps: bytes) -> bool:
    """transquant_bypass_enabled_flag."""
    bits = BitReader(pps)
    bits.unsigned()
    bits.unsigned()
    bits.read(7)
    bits.unsigned()
    bits.unsigned()
    bits.signed()
    bits.read(2)
    if bits.flag():
        bits.unsigned()
    bits.signed()
    bits.signed()
    bits.read(3)
    return bits.flag()


def _vp9(packet: bytes) -> bool:
    """A first quantiser of 0 without offsets."""
    bits = BitReader(packet)
    bits.read(2)
    profile = bits.read(1) | bits.read(1) << 1
    if profile == 3:
        bits.read(1)
    if bits.flag() or bits.read(1):  # shown again, or no key frame
        return False
    bits.read(2)
    if bits.read(24) != VP9_SYNC:
        return False
    if profile >= 2:
        bits.read(1)
    if bits.read(3) == 7:
        bits.read(1 if profile in (1, 3) else 0)
    else:
        bits.read(1 + (3 if profile in (1, 3) else 0))
    bits.read(32)
    if bits.flag():
        bits.read(32)
    bits.read(2 + 2)  # after the sizes: contexts kept, and which
    return _vp9_quantiser(bits)


def _vp9_quantiser(bits: BitReader) -> bool:
    bits.read(6 + 3)
    if bits.flag() and bits.flag():
        for _ in range(6):
            if bits.flag():
                bits.read(7)
    if bits.read(8):
        return False
    return not any(bits.flag() and bits.read(5) for _ in range(3))
