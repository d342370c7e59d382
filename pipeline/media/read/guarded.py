"""Footage that looks like other footage and is not: encrypted, or in layers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from av.container import InputContainer

from pipeline.errors import MediaError
from pipeline.media.boxes.movie import Movie
from pipeline.media.boxes.tree import MalformedBoxError, opened_picture_entry, sample_entries

ENCRYPTED_ENTRIES = frozenset((b"encv", b"enca", b"encm", b"encs", b"enct", b"drmi", b"drms"))
"""Sample entries of ISO/IEC 23001-7 and of Apple's FairPlay."""
MATROSKA_KEY = "enc_key_id"
"""FFmpeg's name for the key of an encrypted Matroska track (RFC 9559 §5.1.4.1.31)."""
SECOND_LAYER = b"lhvC"
TS_PACKETS = ((188, 0), (192, 4))
"""Length of a packet of MPEG-TS and where its sync byte stands; the second of Blu-ray and AVCHD."""
TS_SYNC, TS_LOOKED_AT = 0x47, 1 << 20
FEW = 3


def refuse_encrypted(path: str, container: InputContainer, movie: Movie | None) -> None:
    """Refuse footage under digital rights management, its sound included: it is copied as it is.

    Raises:
        MediaError: packets are encrypted.
    """
    found = _encrypted_entry(movie) or _encrypted_stream(container)
    if not found and container.format.name == "mpegts" and is_scrambled(path):
        found = "its packets are scrambled (transport_scrambling_control)"
    if found:
        raise MediaError(f"{path}: encrypted: {found}; ask its owner for a copy without protection")


def _encrypted_entry(movie: Movie | None) -> str:
    for track in movie.tracks if movie is not None else ():
        try:
            entries = sample_entries(track.table.need(b"stsd"))
        except MalformedBoxError:
            continue
        kinds = [entry.kind for entry in entries if entry.kind in ENCRYPTED_ENTRIES]
        if kinds:
            what = {"vide": "its video", "soun": "its sound"}.get(track.handler, "a track")
            return f"{what} ({kinds[0].decode()})"
    return ""


def _encrypted_stream(container: InputContainer) -> str:
    named = [s for s in container.streams if MATROSKA_KEY in s.metadata]
    return f"{named[0].type} stream {named[0].index}" if named else ""


def is_scrambled(path: str) -> bool:
    """Whether packets of an MPEG-TS say that they are scrambled (ISO/IEC 13818-1 §2.4.3.3)."""
    with Path(path).open("rb") as file:
        data = file.read(TS_LOOKED_AT)
    for length, sync_at in TS_PACKETS:
        heads = [data[at : at + 4] for at in range(sync_at, len(data) - 4, length)]
        if len(heads) > 1 and all(head[0] == TS_SYNC for head in heads[:2]):
            return _is_mostly_scrambled(heads)
    return False


def _is_mostly_scrambled(heads: list[bytes]) -> bool:
    """Whether most packets of a stream are, by the first four bytes of all packets."""
    packets, scrambled = Counter[int](), Counter[int]()
    for head in heads:
        stream = int.from_bytes(head[1:3], "big") & 0x1FFF
        packets[stream] += 1
        scrambled[stream] += head[3] & 0xC0 > 0
    return any(2 * scrambled[s] > count > FEW for s, count in packets.items())


def has_second_layer(movie: Movie | None) -> bool:
    """Whether pictures for the other eye lie in a second HEVC layer, which is not decoded here."""
    if movie is None:
        return False
    try:
        return any(
            box.kind == SECOND_LAYER
            for track in movie.tracks
            if track.handler == "vide"
            for entry in sample_entries(track.table.need(b"stsd"))
            for box in opened_picture_entry(entry).children
        )
    except MalformedBoxError:
        return False
