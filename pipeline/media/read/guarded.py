"""Footage that looks like other footage and is not: encrypted, or in layers."""

from __future__ import annotations

from av.video.stream import VideoStream

from pipeline.errors import MediaError
from pipeline.media.boxes.movie import Movie
from pipeline.media.boxes.tree import MalformedBoxError, opened_picture_entry, sample_entries

ENCRYPTED_ENTRIES = {"encv", "enca", "encm", "encs", "drmi"}
SECOND_LAYER = b"lhvC"


def refuse_encrypted(path: str, stream: VideoStream, movie: Movie | None) -> None:
    """Refuse footage under digital rights management.

    Raises:
        MediaError: its packets are encrypted (ISO/IEC 23001-7, Apple's FairPlay).
    """
    if movie is not None:
        tracks = [t for t in movie.tracks if t.number == stream.id]
        if any(t.fourcc in ENCRYPTED_ENTRIES for t in tracks):
            raise MediaError(
                f"{path}: its video is encrypted ({tracks[0].fourcc}); "
                "ask its owner for a copy without protection"
            )


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
