"""A tree of boxes, read from bytes and written back byte for byte.

Source: ISO/IEC 14496-12 §4.2; Apple's QuickTime File Format for the sound and text sample entries.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

PARENTS = frozenset((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"tref", b"mvex"))
"""Boxes that hold boxes and nothing else. `udta` and `meta` stay whole: nobody looks inside."""
DEEPEST = 12
VIDEO_ENTRY_BYTES = 78
"""Fields of a picture's sample entry before its own boxes (ISO/IEC 14496-12 §12.1.3)."""


class MalformedBoxError(ValueError):
    """Bytes that are no boxes."""


@dataclass
class Box:
    """One box.

    Attributes:
        kind: four bytes, e.g. `b"trak"`.
        body: its bytes, or those before its children.
        children: boxes inside, where it was read as a parent.
    """

    kind: bytes
    body: bytes = b""
    children: list[Box] = field(default_factory=list["Box"])

    def find(self, *path: bytes) -> Box | None:
        """The first box at a path of kinds below this one."""
        box: Box | None = self
        for kind in path:
            box = next((c for c in box.children if c.kind == kind), None) if box else None
        return box

    def need(self, *path: bytes) -> Box:
        """Like find, for a box that must be there.

        Raises:
            MalformedBoxError: it is not.
        """
        box = self.find(*path)
        if box is None:
            raise MalformedBoxError(f"{self.kind!r} without {b'/'.join(path)!r}")
        return box

    def all(self, kind: bytes) -> list[Box]:
        """Children of one kind."""
        return [c for c in self.children if c.kind == kind]

    def encode(self) -> bytes:
        """The box as bytes."""
        inside = self.body + b"".join(c.encode() for c in self.children)
        if len(inside) + 8 < 1 << 32:
            return struct.pack(">I4s", len(inside) + 8, self.kind) + inside
        return struct.pack(">I4sQ", 1, self.kind, len(inside) + 16) + inside


def parse_boxes(data: bytes, depth: int = 0) -> list[Box]:
    """All boxes of a stretch of bytes.

    Raises:
        MalformedBoxError: a size that does not fit, or boxes nested beyond reason.
    """
    if depth > DEEPEST:
        raise MalformedBoxError("boxes nested too deep")
    return [
        Box(kind, b"", parse_boxes(inside, depth + 1)) if kind in PARENTS else Box(kind, inside)
        for kind, inside in _cut(data)
    ]


def _cut(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1 and at + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        if length == 0:
            length = len(data) - at
        if length < head or at + length > len(data):
            raise MalformedBoxError(f"{kind!r} of {length} bytes where {len(data) - at} are left")
        yield kind, data[at + head : at + length]
        at += length


def loose_boxes(data: bytes) -> list[Box]:
    """Boxes of a stretch that may end in something else, as QuickTime's user data does."""
    found: list[Box] = []
    try:
        for kind, inside in _cut(data):
            found.append(Box(kind, inside))
    except MalformedBoxError:
        pass
    return found


def sample_entries(stsd: Box) -> list[Box]:
    """The entries of a sample description, unread inside."""
    return [Box(kind, inside) for kind, inside in _cut(stsd.body[8:])]


def with_entries(stsd: Box, entries: list[Box]) -> Box:
    """A sample description with other entries."""
    count = struct.pack(">I", len(entries))
    return Box(b"stsd", stsd.body[:4] + count + b"".join(e.encode() for e in entries))


def opened_picture_entry(entry: Box) -> Box:
    """A picture's sample entry with its own boxes as children."""
    inside = entry.body[VIDEO_ENTRY_BYTES:]
    try:
        children = [Box(kind, body) for kind, body in _cut(inside)]
    except MalformedBoxError:
        return entry
    return Box(entry.kind, entry.body[:VIDEO_ENTRY_BYTES], children)
