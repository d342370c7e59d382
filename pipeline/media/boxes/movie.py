"""The tracks of a QuickTime or MP4 file as its own tables tell them.

FFmpeg leaves out or mistakes tracks whose codec it does not know (spatial sound, timed metadata,
telemetry); here every track is seen, with the place of each of its samples.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.media.boxes.tree import (
    Box,
    MalformedBoxError,
    loose_boxes,
    parse_boxes,
    sample_entries,
)

LARGEST_MOVIE_BOX = 1 << 28
READ_BYTES = 1 << 20
TOP_LEVEL = frozenset(
    (b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"uuid", b"sidx", b"styp",
     b"meta", b"mfra", b"pdin", b"emsg", b"prft", b"pnot", b"udta")
)  # fmt: skip


@dataclass(frozen=True)
class Span:
    """A top-level box: its kind, where it begins and how long it is, header included."""

    kind: bytes
    start: int
    length: int


@dataclass(frozen=True)
class Track:
    """One track.

    Attributes:
        number: its track id.
        handler: what it is: `vide`, `soun`, `meta`, `text`, `tmcd`, …
        fourcc: of its first sample entry: `hvc1`, `apac`, `mebx`, …
        timescale: ticks per second of its times.
        refs: tracks it points to, by kind of reference (`chap`, `cdsc`, …).
        box: its `trak`.
    """

    number: int
    handler: str
    fourcc: str
    timescale: int
    refs: dict[str, tuple[int, ...]]
    box: Box

    @property
    def table(self) -> Box:
        return self.box.need(b"mdia", b"minf", b"stbl")

    @property
    def is_self_contained(self) -> bool:
        """Whether its samples lie in its own file (ISO/IEC 14496-12 §8.7.2)."""
        dref = self.box.find(b"mdia", b"minf", b"dinf", b"dref")
        return dref is None or all(b.body[3:4] == b"\1" for b in loose_boxes(dref.body[8:]))

    def chunks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`(C,)` int64 offsets in the file and sizes in bytes of its chunks.

        Raises:
            MalformedBoxError: tables that contradict one another.
        """
        offsets = chunk_offsets(self.table)
        per_chunk = _samples_per_chunk(self.table, len(offsets))
        sizes = _sample_sizes(self.table)
        if per_chunk.sum() != len(sizes):
            raise MalformedBoxError(f"{per_chunk.sum()} samples in chunks, {len(sizes)} sizes")
        ends = np.concatenate([[0], np.cumsum(sizes)])
        cut = np.concatenate([[0], np.cumsum(per_chunk)])
        return offsets, ends[cut[1:]] - ends[cut[:-1]]

    def sample_count(self) -> int:
        return len(_sample_sizes(self.table))

    def timing(self, movie_timescale: int) -> tuple[object, ...]:
        """What its times amount to, whatever the movie's clock: durations, edits, in seconds."""
        edits = [
            (Fraction(length, movie_timescale).limit_denominator(1_000_000), media, rate)
            for length, media, rate in _edits(self.box.find(b"edts", b"elst"))
        ]
        return self.timescale, tuple(self.runs()), tuple(edits)

    def runs(self) -> list[tuple[int, int]]:
        """How many samples in a row last how many ticks."""
        return _runs(self.table.find(b"stts"))


@dataclass(frozen=True)
class Movie:
    """A file's movie box.

    Attributes:
        timescale: ticks per second of edit lists and track lengths.
        tracks: in file order.
        fragmented: samples lie in movie fragments, so tables here are not all.
        spans: the file's top-level boxes.
        box: the `moov`.
    """

    timescale: int
    tracks: tuple[Track, ...]
    fragmented: bool
    spans: tuple[Span, ...]
    box: Box

    def track(self, number: int) -> Track | None:
        return next((t for t in self.tracks if t.number == number), None)

    def chapter_texts(self) -> set[int]:
        """Tracks that hold chapter titles: text another track points to as its chapters."""
        named = {n for t in self.tracks for n in t.refs.get("chap", ())}
        return {t.number for t in self.tracks if t.number in named and t.handler in TEXT_HANDLERS}


TEXT_HANDLERS = {"text", "sbtl", "subt"}
KNOWN_SOUND = frozenset(
    ("mp4a", "ac-3", "ec-3", "alac", "Opus", "fLaC", "sowt", "twos", "lpcm", "ipcm", "fpcm",
     "in24", "in32", "fl32", "fl64", "raw ", "NONE", "ulaw", "alaw", ".mp3", "samr", "sawb",
     "ima4", "ms\0\x02", "ms\0\x11", "QDM2", "MAC3", "MAC6", "mlpa", "dtsc", "dtsh", "dtsl")
)  # fmt: skip
KNOWN_TEXT = frozenset(("text", "tx3g", "c608", "wvtt", "stpp", "mp4s"))
"""Sample entries that FFmpeg reads and writes truly; all others are foreign to it."""
MADE_ANEW = frozenset(("tmcd",))


def foreign_tracks(movie: Movie | None) -> tuple[Track, ...]:
    """Tracks that only their boxes tell truly: timed metadata, telemetry, spatial sound …

    None of a fragmented movie, whose samples lie elsewhere.
    """
    if movie is None or movie.fragmented:
        return ()
    chapters = movie.chapter_texts()
    return tuple(t for t in movie.tracks if t.number not in chapters and _is_foreign(t))


def _is_foreign(track: Track) -> bool:
    if track.handler == "vide" or track.fourcc in MADE_ANEW:
        return False
    if track.handler == "soun":
        return track.fourcc not in KNOWN_SOUND
    return not (track.handler in (*TEXT_HANDLERS, "clcp", "subp") and track.fourcc in KNOWN_TEXT)


def read_movie(path: str) -> Movie | None:
    """The movie box of a file; None where the file is no such, or not soundly made."""
    try:
        with Path(path).open("rb") as file:
            spans = tuple(_top_level(file))
            place = next((s for s in spans if s.kind == b"moov"), None)
            if place is None or place.length > LARGEST_MOVIE_BOX:
                return None
            file.seek(place.start)
            (box,) = parse_boxes(file.read(place.length))
        return _movie(box, spans)
    except (MalformedBoxError, struct.error, IndexError, ValueError, OSError):
        return None


def _top_level(file: BinaryIO) -> Iterator[Span]:
    at, size = 0, file.seek(0, 2)
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = struct.unpack_from(">I4s", head)
        if kind not in TOP_LEVEL:
            return
        if length == 1:
            (length,) = struct.unpack_from(">Q", head, 8)
        if length == 0:
            length = size - at
        if length < 8:
            return
        yield Span(kind, at, length)
        at += length


def _movie(box: Box, spans: tuple[Span, ...]) -> Movie:
    head = box.need(b"mvhd").body
    (timescale,) = struct.unpack_from(">I", head, 20 if head[0] == 1 else 12)
    tracks = tuple(_track(t) for t in box.all(b"trak"))
    fragmented = box.find(b"mvex") is not None or any(s.kind == b"moof" for s in spans)
    return Movie(max(1, timescale), tracks, fragmented, spans, box)


def _track(box: Box) -> Track:
    head = box.need(b"tkhd").body
    (number,) = struct.unpack_from(">I", head, 20 if head[0] == 1 else 12)
    media = box.need(b"mdia", b"mdhd").body
    (timescale,) = struct.unpack_from(">I", media, 20 if media[0] == 1 else 12)
    handler = box.need(b"mdia", b"hdlr").body[8:12].decode("latin-1")
    stsd = box.need(b"mdia", b"minf", b"stbl", b"stsd")
    entries = sample_entries(stsd)
    fourcc = entries[0].kind.decode("latin-1") if entries else ""
    refs = box.find(b"tref")
    return Track(
        number, handler, fourcc, max(1, timescale),
        {r.kind.decode("latin-1"): _ids(r.body) for r in (refs.children if refs else [])}, box,
    )  # fmt: skip


def _ids(body: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(body) // 4}I", body[: len(body) // 4 * 4])


def chunk_offsets(table: Box) -> NDArray[np.int64]:
    """`(C,)` int64: where each chunk of a sample table begins in the file."""
    narrow, wide = table.find(b"stco"), table.find(b"co64")
    if narrow is not None:
        return np.frombuffer(narrow.body, ">u4", offset=8).astype(np.int64)
    if wide is not None:
        return np.frombuffer(wide.body, ">u8", offset=8).astype(np.int64)
    raise MalformedBoxError("a sample table without chunk offsets")


def with_offsets(table: Box, offsets: NDArray[np.int64]) -> None:
    """Sets a sample table's chunk offsets, in 64 bits where 32 are too few."""
    kept = [c for c in table.children if c.kind not in (b"stco", b"co64")]
    wide = bool(len(offsets)) and int(offsets.max()) >= 1 << 32
    body = struct.pack(">II", 0, len(offsets)) + offsets.astype(">u8" if wide else ">u4").tobytes()
    table.children[:] = [*kept, Box(b"co64" if wide else b"stco", body)]


def _samples_per_chunk(table: Box, chunks: int) -> NDArray[np.int64]:
    runs = np.frombuffer(table.need(b"stsc").body, ">u4", offset=8).reshape(-1, 3).astype(np.int64)
    if not len(runs) or not chunks:
        return np.zeros(chunks, np.int64)
    lengths = np.diff(np.append(runs[:, 0], chunks + 1))
    if runs[0, 0] != 1 or (lengths <= 0).any():
        raise MalformedBoxError("chunk runs out of order")
    return np.repeat(runs[:, 1], lengths)


def _sample_sizes(table: Box) -> NDArray[np.int64]:
    box = table.find(b"stsz")
    if box is None:
        raise MalformedBoxError("a sample table without plain sample sizes")
    _, uniform, count = struct.unpack_from(">III", box.body)
    if uniform:
        if count > LARGEST_MOVIE_BOX:
            raise MalformedBoxError(f"{count} samples of one size")
        return np.full(count, uniform, np.int64)
    sizes = np.frombuffer(box.body, ">u4", offset=12).astype(np.int64)
    if len(sizes) != count:
        raise MalformedBoxError(f"{len(sizes)} sample sizes where {count} are declared")
    return sizes


def _runs(stts: Box | None) -> list[tuple[int, int]]:
    if stts is None:
        return []
    pairs = np.frombuffer(stts.body, ">u4", offset=8).reshape(-1, 2)
    return [(int(n), int(length)) for n, length in pairs]


def _edits(elst: Box | None) -> list[tuple[int, int, int]]:
    if elst is None:
        return []
    wide = elst.body[0] == 1
    form = ">Qqi" if wide else ">Iii"
    return list(struct.iter_unpack(form, elst.body[8:]))


def payload_md5(path: str, track: Track) -> str:
    """md5 over a track's samples, in the order of its chunks.

    Raises:
        MalformedBoxError: tables that contradict one another, or that point beyond the file.
    """
    digest = hashlib.md5(usedforsecurity=False)
    with Path(path).open("rb") as file:
        for offset, size in zip(*track.chunks(), strict=True):
            for part in read_span(file, int(offset), int(size)):
                digest.update(part)
    return digest.hexdigest()


def read_span(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    """A stretch of a file, a megabyte at a time.

    Raises:
        MalformedBoxError: the file ends before it.
    """
    file.seek(offset)
    while size > 0:
        part = file.read(min(size, READ_BYTES))
        if not part:
            raise MalformedBoxError("samples beyond the file's end")
        yield part
        size -= len(part)
