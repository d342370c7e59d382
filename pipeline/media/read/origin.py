"""Whether a video is a result of ours: a tag in its container says so, wherever it was moved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import MediaError
from pipeline.media.opening import open_video

MADE_BY = "made with aureel"
TAG_KEYS: Mapping[str, tuple[str, ...]] = {
    "mp4": ("comment", "keywords", "grouping"),
    "mov": ("comment",),
    "matroska": ("encoded_by", "comment", "keywords"),
    "webm": ("encoded_by", "comment", "keywords"),
    "avi": ("encoded_by", "comment"),
    "nut": ("encoded_by", "comment", "keywords"),
    "mpegts": ("service_provider",),
}
"""Muxer → tags that it keeps, the first that the source leaves free is used."""
HEAD_BYTES = 1 << 14
"""In which MPEG-TS tells who provides its programmes (EN 300 468 §6.2.33); it has no other tags."""


def origin_tag(muxer: str, taken: Mapping[str, str]) -> dict[str, str]:
    """The tag that marks a result; none where the source's own tags leave no room.

    Args:
        taken: the source's tags.
    """
    used = {key.lower() for key in taken}
    free = [key for key in TAG_KEYS.get(muxer, ()) if key not in used]
    return {free[0]: MADE_BY} if free else {}


def is_ours(path: str) -> bool:
    """Whether a file carries our tag; False for what is no video."""
    try:
        with open_video(path) as container:
            is_mpegts = container.format.name == "mpegts"
            tagged = MADE_BY in container.metadata.values()
        return tagged or (is_mpegts and MADE_BY.encode() in _head(path))
    except (MediaError, OSError):
        return False


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(HEAD_BYTES)
