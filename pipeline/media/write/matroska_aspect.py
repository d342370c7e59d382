"""Giving a Matroska or WebM video its pixel shape after FFmpeg has written it without.

FFmpeg's muxer takes the shape from a field PyAV cannot set, so for codecs that don't carry it in
their own bitstream (VP8, VP9 …) it is lost. Two elements, DisplayWidth and DisplayHeight, are added
to the track; the reserve FFmpeg leaves after the seek head shrinks by as much, so that nothing
behind the tracks moves. Source: RFC 8794 (EBML), RFC 9559 §5.1.4.1.28 (Video).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline.errors import MediaError

HEAD_BYTES = 1 << 20
SEGMENT, SEEK_HEAD, VOID, INFO, TRACKS = 0x18538067, 0x114D9B74, 0xEC, 0x1549A966, 0x1654AE6B
SEEK, SEEK_ID, SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
TRACK_ENTRY, VIDEO, PIXEL_WIDTH, PIXEL_HEIGHT = 0xAE, 0xE0, 0xB0, 0xBA
DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT, CRC_32 = 0x54B0, 0x54BA, 0x54B2, 0xBF
SHAPE = (DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT)
"""FFmpeg's unit is "unknown" where it knew no shape, and then it does not read the size."""


@dataclass(frozen=True)
class Element:
    """An EBML element: its id, its content, where it begins and how long it is altogether."""

    id: int
    content: bytes
    start: int
    length: int


def write_pixel_shape(path: str, track: int, sar: Fraction) -> None:
    """Set the sample aspect ratio of a track, in place.

    Args:
        track: counted from 0 in the order of the tracks.
    Raises:
        MediaError: the file's head is not laid out as FFmpeg's muxer does.
    """
    with Path(path).open("r+b") as file:
        head = file.read(HEAD_BYTES)
        try:
            start, patched = _patched(head, track, sar)
        except (IndexError, StopIteration, ValueError) as error:
            raise MediaError(f"{path}: cannot store the sample aspect ratio {sar}") from error
        file.seek(start)
        file.write(patched)


def _patched(head: bytes, track: int, sar: Fraction) -> tuple[int, bytes]:
    """Where the changed stretch begins, and its new bytes, as many as the old ones."""
    segment = next(e for e in _elements(head, 0, len(head)) if e.id == SEGMENT)
    inside = segment.start + segment.length - len(segment.content)
    level_1 = iter(_elements(head, inside, len(head)))
    seek_head, void, info, tracks = (next(level_1) for _ in range(4))
    if [seek_head.id, void.id, info.id, tracks.id] != [SEEK_HEAD, VOID, INFO, TRACKS]:
        raise ValueError("another order of elements")
    new_tracks = _with_shape(tracks, track, sar)
    grown = len(new_tracks) - tracks.length
    moved = {INFO: info.start - inside - grown, TRACKS: tracks.start - inside - grown}
    new_seek_head = _moved(seek_head, moved)
    room = void.length - grown
    if room < 9 or len(new_seek_head) != seek_head.length:
        raise ValueError("no room")
    new_void = b"\xec\x01" + (room - 9).to_bytes(7, "big") + bytes(room - 9)
    kept_info = head[info.start : info.start + info.length]
    return seek_head.start, new_seek_head + new_void + kept_info + new_tracks


def _with_shape(tracks: Element, track: int, sar: Fraction) -> bytes:
    entries = [e for e in _children(tracks) if e.id == TRACK_ENTRY]
    wanted = entries[track]
    video = next(e for e in _children(wanted) if e.id == VIDEO)
    numbers = {e.id: int.from_bytes(e.content, "big") for e in _children(video)}
    width, height = _display_size(numbers[PIXEL_WIDTH], numbers[PIXEL_HEIGHT], sar)
    fields = [e for e in _children(video) if e.id not in SHAPE]
    size = _encode(DISPLAY_WIDTH, width.to_bytes(4, "big").lstrip(b"\0"))
    size += _encode(DISPLAY_HEIGHT, height.to_bytes(4, "big").lstrip(b"\0"))
    new_video = _encode(VIDEO, _joined(fields) + size)
    parts = [new_video if e.id == VIDEO else _encode(e.id, e.content) for e in _children(wanted)]
    new_entry = _encode(TRACK_ENTRY, b"".join(parts))
    return _with_crc(
        TRACKS,
        [new_entry if e.start == wanted.start else _encode(e.id, e.content)
         for e in _children(tracks) if e.id != CRC_32],
        had_crc=_has_crc(tracks),
    )  # fmt: skip


def _display_size(width: int, height: int, sar: Fraction) -> tuple[int, int]:
    """Whole display sizes whose ratio is exact where 32 bits allow."""
    ratio = Fraction(width, height) * sar
    scale = max(1, round(height / ratio.denominator))
    return ratio.numerator * scale, ratio.denominator * scale


def _moved(seek_head: Element, positions: dict[int, int]) -> bytes:
    entries: list[bytes] = []
    for entry in _children(seek_head):
        if entry.id != SEEK:
            continue
        fields = {e.id: e.content for e in _children(entry)}
        target = int.from_bytes(fields[SEEK_ID], "big")
        place = fields[SEEK_POSITION]
        if target in positions:
            place = positions[target].to_bytes(len(place), "big")
        body = _encode(SEEK_ID, fields[SEEK_ID]) + _encode(SEEK_POSITION, place)
        entries.append(_encode(SEEK, body))
    return _with_crc(SEEK_HEAD, entries, had_crc=_has_crc(seek_head))


def _with_crc(element_id: int, parts: list[bytes], *, had_crc: bool) -> bytes:
    body = b"".join(parts)
    if had_crc:
        body = _encode(CRC_32, zlib.crc32(body).to_bytes(4, "little")) + body
    return _encode(element_id, body)


def _has_crc(element: Element) -> bool:
    return any(e.id == CRC_32 for e in _children(element))


def _joined(elements: list[Element]) -> bytes:
    return b"".join(_encode(e.id, e.content) for e in elements)


def _encode(element_id: int, content: bytes) -> bytes:
    """The shortest form."""
    length = next(n for n in range(1, 9) if len(content) < (1 << 7 * n) - 1)
    size = (len(content) | 1 << 7 * length).to_bytes(length, "big")
    return element_id.to_bytes(-(-element_id.bit_length() // 8), "big") + size + content


def _children(element: Element) -> list[Element]:
    return _elements(element.content, 0, len(element.content))


def _elements(data: bytes, at: int, end: int) -> list[Element]:
    """Elements from a place on, as far as they begin before the end; the last may be cut."""
    found: list[Element] = []
    while at + 2 <= end:
        id_length = 9 - data[at].bit_length()
        element_id = int.from_bytes(data[at : at + id_length], "big")
        size_at = at + id_length
        size_length = 9 - data[size_at].bit_length()
        size = int.from_bytes(data[size_at : size_at + size_length], "big")
        size &= (1 << 7 * size_length) - 1
        body = size_at + size_length
        found.append(Element(element_id, data[body : body + size], at, body - at + size))
        at = body + size
    return found
