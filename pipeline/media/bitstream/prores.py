"""The alpha channel of ProRes 4444 frames, which is coded apart and without loss.

Source: SMPTE RDD 36, §5.1 (frame header), §5.2 (picture), §5.3 (slices).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

FRAME_HEADER_AT = 8
INTERLACE_AT, ALPHA_AT = 20, 25
TABLE_START = 8
"""Bytes of a picture header."""


class AnotherLayoutError(ValueError):
    """Frames whose slices do not lie alike, or bytes that are no ProRes frame."""


@dataclass
class _Picture:
    header: bytes
    slices: list[bytes]


def with_alpha_of(frame: bytes, other: bytes) -> bytes:
    """A frame with another one's alpha channel, bit for bit.

    Raises:
        AnotherLayoutError: their slices do not lie alike.
    """
    try:
        head, pictures = _pictures(frame)
        other_head, others = _pictures(other)
    except (struct.error, IndexError) as error:
        raise AnotherLayoutError("not a ProRes frame") from error
    if [len(p.slices) for p in pictures] != [len(p.slices) for p in others]:
        raise AnotherLayoutError("another number of slices")
    made = bytearray(head)
    made[ALPHA_AT] = made[ALPHA_AT] & 0xF0 | other_head[ALPHA_AT] & 0x0F
    for mine, theirs in zip(pictures, others, strict=True):
        if mine.header[7] != theirs.header[7]:
            raise AnotherLayoutError("slices of another size")
        made += _joined(mine, theirs)
    return struct.pack(">I", len(made)) + bytes(made[4:])


def _pictures(frame: bytes) -> tuple[bytes, list[_Picture]]:
    if frame[4:8] != b"icpf":
        raise AnotherLayoutError("not a ProRes frame")
    (length,) = struct.unpack_from(">H", frame, FRAME_HEADER_AT)
    at = FRAME_HEADER_AT + length
    head = frame[:at]
    pictures: list[_Picture] = []
    for _ in range(2 if frame[INTERLACE_AT] & 0x0C else 1):
        header_length = frame[at] >> 3
        size, count = struct.unpack_from(">IH", frame, at + 1)
        table = at + header_length
        sizes = struct.unpack_from(f">{count}H", frame, table)
        start = table + 2 * count
        slices: list[bytes] = []
        for slice_size in sizes:
            slices.append(frame[start : start + slice_size])
            start += slice_size
        pictures.append(_Picture(frame[at:table], slices))
        at += size
    return head, pictures


def _joined(mine: _Picture, theirs: _Picture) -> bytes:
    slices = [
        own[: _colour_end(own)] + other[_colour_end(other) :]
        for own, other in zip(mine.slices, theirs.slices, strict=True)
    ]
    if any(len(s) > 0xFFFF for s in slices):
        raise AnotherLayoutError("a slice too long")
    body = struct.pack(f">{len(slices)}H", *map(len, slices)) + b"".join(slices)
    size = len(mine.header) + len(body)
    header = bytearray(mine.header)
    struct.pack_into(">I", header, 1, size)
    return bytes(header) + body


def _colour_end(data: bytes) -> int:
    """Where a slice's luma and chroma end; its alpha follows."""
    header = data[0] >> 3
    luma, blue = struct.unpack_from(">HH", data, 2)
    if header < TABLE_START:
        raise AnotherLayoutError("a slice without alpha")
    (red,) = struct.unpack_from(">H", data, 6)
    return header + luma + blue + red
