"""Dolby Vision's record in a container, which says how the base picture is to be read.

Sources: Dolby, "Dolby Vision Streams within the ISO Base Media File Format" 2.1 §3.1; "within the
Matroska" (the same bytes in BlockAddIDExtraData).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.media.boxes.movie import Movie
from pipeline.media.boxes.tree import MalformedBoxError, opened_picture_entry, sample_entries

RECORDS = (b"dvcC", b"dvvC", b"dvwC")
MATROSKA = b"\x1a\x45\xdf\xa3"
MATROSKA_HEAD_BYTES = 1 << 20
BLOCK_ADD_ID_EXTRA_DATA = b"\x41\xed"


@dataclass(frozen=True)
class DolbyVision:
    """A configuration record.

    Attributes:
        profile: 5 has no picture of its own to other players, 7 two layers, 8 a plain base.
        compatibility: what the base layer is without it: 1 HDR10, 2 SDR, 4 HLG, 0 nothing.
    """

    profile: int
    compatibility: int

    @property
    def name(self) -> str:
        return f"Dolby Vision profile {self.profile}.{self.compatibility}"


def read_dolby_vision(path: str, movie: Movie | None) -> DolbyVision | None:
    """The record of a file's first picture track that has one."""
    record = _in_boxes(movie) if movie is not None else _in_matroska(path)
    if record is None or len(record) < 5:
        return None
    return DolbyVision(record[2] >> 1, record[4] >> 4)


def _in_boxes(movie: Movie) -> bytes | None:
    for track in movie.tracks:
        if track.handler != "vide":
            continue
        try:
            entries = sample_entries(track.table.need(b"stsd"))
        except MalformedBoxError:
            continue
        for entry in entries:
            for box in opened_picture_entry(entry).children:
                if box.kind in RECORDS:
                    return box.body
    return None


def _in_matroska(path: str) -> bytes | None:
    with Path(path).open("rb") as file:
        head = file.read(MATROSKA_HEAD_BYTES)
    at = head.find(BLOCK_ADD_ID_EXTRA_DATA) if head.startswith(MATROSKA) else -1
    while at >= 0:
        record = head[at + 3 : at + 3 + 24]
        named = any(name in head[max(0, at - 40) : at] for name in RECORDS)
        if named and head[at + 2] in (0x98, 0x85) and record[:1] == b"\1":
            return record
        at = head.find(BLOCK_ADD_ID_EXTRA_DATA, at + 2)
    return None
