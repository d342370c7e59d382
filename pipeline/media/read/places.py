"""Where packets lie in a file, by its index: their bytes without demuxing it once more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.stream import Stream
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.boxes.movie import KNOWN_SOUND, Movie, Track

BLOCK_BYTES = 1 << 20
NEAR_BYTES = 1 << 16
"""What lies between two packets is read with them up to this: as quick as to ask for both."""
STORED_AS_TOLD = frozenset(("aac", "alac", "flac", "opus"))
"""Sound that FFmpeg hands out as it is stored, as all without coding; other it may cut anew."""


@dataclass(frozen=True)
class Places:
    """Packets of one stream, in the order of decoding.

    Attributes:
        at, size: `(R,)` int64, where each begins in the file, and its bytes, none of them 0.
        ticks: `(R,)` int64, when each is decoded.
        is_key, is_hidden: `(R,)` bool; hidden are packets that an edit list leaves out.
    """

    at: NDArray[np.int64]
    size: NDArray[np.int64]
    ticks: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    is_hidden: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)


def places_of(stream: Stream, movie: Movie | None) -> Places | None:
    """By the file's index; None where that is not known to tell of each packet.

    Args:
        movie: of the file the stream is of; only mp4 and mov have such an index.
    """
    track = movie.track(stream.id) if movie is not None and not movie.fragmented else None
    if track is None or not track.is_self_contained or not _is_stored_as_told(stream, track.fourcc):
        return None
    told = stream.index_entries
    rows = [(e.pos, e.size, e.timestamp, e.is_keyframe, e.is_discard) for e in told if e.size > 0]
    at, size, ticks, is_key, is_hidden = np.array(rows, np.int64).reshape(-1, 5).T
    return Places(at, size, ticks, is_key > 0, is_hidden > 0)


def durations_of(places: Places, track: Track) -> NDArray[np.int64] | None:
    """`(R,)` int64 ticks for which packets that are shown as they are decoded are shown.

    None where they are shown in another order, or where the track's table is not of these packets.
    """
    if track.table.find(b"ctts") is not None:
        return None
    runs = track.runs()
    count, length = np.array(runs, np.int64).reshape(-1, 2).T
    if count.sum() != len(places) or not (length > 0).all():
        return None
    lengths = np.repeat(length, count)
    return lengths if np.array_equal(np.diff(places.ticks), lengths[:-1]) else None


def _is_stored_as_told(stream: Stream, fourcc: str) -> bool:
    context = stream.codec_context
    if context is None or stream.type != "audio":
        return stream.type == "video"  # whoever asks has counted its packets
    codec = context.codec.canonical_name
    return fourcc in KNOWN_SOUND and (codec in STORED_AS_TOLD or codec.startswith("pcm_"))


def packets_at(path: str, places: Places) -> Iterator[memoryview]:
    """The packets' bytes, in order.

    Raises:
        MediaError: the file ends before them.
    """
    at, ends = places.at, places.at + places.size
    with Path(path).open("rb", buffering=0) as file:
        for first, last in _blocks(at, ends):
            base = int(at[first])
            block = memoryview(os.pread(file.fileno(), int(ends[last]) - base, base))
            if len(block) < ends[last] - base:
                raise MediaError(f"{path}: ends before packets that its index tells of")
            begins, stops = at[first : last + 1] - base, ends[first : last + 1] - base
            for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True):
                yield block[begin:stop]


def _blocks(at: NDArray[np.int64], ends: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """First and last of packets that are read at once."""
    gaps = at[1:] - ends[:-1]
    apart = (gaps < 0) | (gaps > NEAR_BYTES) | (np.diff(at // BLOCK_BYTES) != 0)
    first = [0, *(np.flatnonzero(apart) + 1).tolist()] if len(at) else []
    return zip(first, [*(n - 1 for n in first[1:]), len(at) - 1], strict=False)
