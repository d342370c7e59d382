"""What FFmpeg's EXR encoder leaves out of a file's header: time code, frame rate, primaries.

Source: OpenEXR, "OpenEXR File Layout" and "Technical Introduction" (attributes, line offset table);
SMPTE 12M packing of OpenEXR's TimeCode class (TV60).
"""

from __future__ import annotations

import struct
from fractions import Fraction

from keyframes.clock.smpte import Timecode

START = 8
"""Bytes of the magic number and the version, before the first attribute."""
LINES = 16
"""Lines of a block in the compression that pictures.py asks for."""
CHROMATICITIES: dict[int, tuple[float, ...]] = {
    1: (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, 0.3127, 0.3290),
    5: (0.640, 0.330, 0.290, 0.600, 0.150, 0.060, 0.3127, 0.3290),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3140, 0.3510),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}
"""x, y of red, green, blue and white by the code of ITU-T H.273, table 2."""


def with_labels(
    data: bytes, height: int, rate: Fraction, primaries: int, label: Timecode | None
) -> bytes:
    """A file of pictures.py with its frame's label, rate and primaries in its header.

    Args:
        height: lines of the picture.
    """
    rate = rate.limit_denominator(1001)
    added = _attribute("framesPerSecond", "rational", struct.pack("<iI", *rate.as_integer_ratio()))
    if primaries in CHROMATICITIES:
        values = struct.pack("<8f", *CHROMATICITIES[primaries])
        added += _attribute("chromaticities", "chromaticities", values)
    if label is not None:
        added += _attribute("timeCode", "timecode", struct.pack("<II", packed(label), 0))
    end = header_end(data)
    blocks = -(-height // LINES)
    offsets = struct.unpack_from(f"<{blocks}Q", data, end + 1)
    moved = struct.pack(f"<{blocks}Q", *(at + len(added) for at in offsets))
    return data[:end] + added + b"\0" + moved + data[end + 1 + len(moved) :]


def _attribute(name: str, kind: str, value: bytes) -> bytes:
    return f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value


def header_end(data: bytes) -> int:
    """Where the byte lies that ends the attributes."""
    at = START
    while data[at]:
        for _ in range(2):  # its name, its type
            at = data.index(b"\0", at) + 1
        at += 4 + int.from_bytes(data[at : at + 4], "little")
    return at


def packed(label: Timecode) -> int:
    """A label as binary coded digits, frames lowest."""
    fields = (label.frames, label.seconds, label.minutes, label.hours)
    digits = (value // 10 << 4 | value % 10 for value in fields)
    word = sum(pair << 8 * place for place, pair in enumerate(digits))
    return word | label.drop_frame << 6
