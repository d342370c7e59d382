"""How much of a file is missing by its outermost structure: decoders read a cut file in silence.

Sources: ISO/IEC 14496-12 §4.2 (boxes), RFC 8794 (EBML), RFC 9559 (Matroska), Microsoft's RIFF.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

PADDING = {b"free", b"skip", b"wide"}
KNOWN_BOXES = {b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"uuid", b"sidx",
               b"styp", b"meta", b"mfra", b"pdin", b"emsg", b"prft", b"pnot"}  # fmt: skip
EBML_HEADER, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def missing_bytes(path: str) -> int:
    """Bytes the file's outermost mp4 boxes, Matroska segment or RIFF chunks declare beyond its end.

    0 for other formats and for what declares no size (a live recording).
    """
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        head = file.read(12)
        if head[:4] == EBML_HEADER:
            end = _matroska_end(file)
        elif head[:4] == b"RIFF":
            end = _riff_end(file, size)
        elif head[4:8] in KNOWN_BOXES:
            end = _boxes_end(file, size)
        else:
            end = 0
    return max(0, end - size)


def _boxes_end(file: BinaryIO, size: int) -> int:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if kind not in KNOWN_BOXES or length == 0:
            break
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8 or (kind in PADDING and at + length > size):
            break
        at += length
    return at


def _riff_end(file: BinaryIO, size: int) -> int:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or length == 0:
            break
        at += 8 + length + length % 2
    return at - 1 if at == size + 1 else at  # the last chunk's padding byte may be left out


def _matroska_end(file: BinaryIO) -> int:
    file.seek(4)
    header_length = _ebml_size(file)
    if header_length is None:
        return 0
    file.seek(header_length, 1)
    if file.read(4) != SEGMENT:
        return 0
    segment_length = _ebml_size(file)
    return 0 if segment_length is None else file.tell() + segment_length


def _ebml_size(file: BinaryIO) -> int | None:
    """A variable-length size at the file's position, or None for "unknown"."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    extra = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> extra)]) + file.read(extra), "big")
    return None if value == (1 << 7 * (extra + 1)) - 1 else value
