"""What FFmpeg's muxer leaves out of an mp4 or mov, put in from the source's own boxes.

Tracks it does not know (spatial sound, timed metadata, telemetry), parts of the picture's
description (Dolby Vision's record, stereo, clean aperture), user data and references between tracks
are taken over as they are. Only numbers change: track ids, the movie's clock, places in the file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.boxes.movie import (
    MADE_ANEW,
    Movie,
    Span,
    Track,
    chunk_offsets,
    foreign_tracks,
    read_movie,
    read_span,
    with_offsets,
)
from pipeline.media.boxes.tree import (
    Box,
    MalformedBoxError,
    loose_boxes,
    opened_picture_entry,
    sample_entries,
    with_entries,
)

WRITTEN_BY_FFMPEG = frozenset(
    (b"avcC", b"hvcC", b"av1C", b"vpcC", b"esds", b"glbl", b"pasp", b"colr", b"fiel", b"btrt",
     b"lhvC", b"ACLR", b"APRG", b"ARES", b"jp2h", b"free", b"wide", b"\0\0\0\0", b"dfLa", b"SmDm")
)  # fmt: skip
"""Parts of a picture's description that must be the new encoder's own."""
STEREO = frozenset((b"vexu", b"hfov", b"eyes"))
DOLBY_VISION = frozenset((b"dvcC", b"dvvC", b"dvwC"))
STALE_USER_DATA = frozenset((b"\xa9too", b"\xa9swr", b"\xa9enc", b"chpl", b"\0\0\0\0"))
REFS_MADE_ANEW = frozenset((b"chap", b"tmcd"))
LARGE_HEADER = 16
"""Bytes of a box header with a 64-bit size."""


@dataclass(frozen=True)
class GraftOptions:
    """What not to take over.

    Attributes:
        same_codec: the picture's description fits the output's codec.
        dolby_vision: its metadata is in the output's packets.
        tracks: those that only boxes tell of go with it; not with a part of a clip.
    """

    same_codec: bool = True
    dolby_vision: bool = True
    tracks: bool = True


def graft(part: str, source: str, video_stream: int, options: GraftOptions) -> bool:
    """Puts into a finished part what its source holds and it lacks; whether anything was.

    Args:
        video_stream: the place of the video's track among the source's.
    Raises:
        MediaError: the source's tables contradict one another.
    """
    old, new = read_movie(source), read_movie(part)
    if old is None or new is None or new.fragmented:
        return False
    try:
        work = _Graft(source, old, new)
        work.describe_pictures(old.tracks[video_stream].number, options)
        work.add_user_data()
        if options.tracks:
            work.add_tracks()
        work.add_references()
        if work.changed:
            _rewrite(part, new, work)
        return work.changed
    except (MalformedBoxError, struct.error, IndexError, ValueError) as error:
        raise MediaError(f"{source}: its tracks cannot be copied: {error}") from error


class _Graft:
    """The output's movie box on its way, and the bytes that go with it."""

    def __init__(self, source: str, old: Movie, new: Movie) -> None:
        self.source = source
        self._old, self._new = old, new
        self.changed = False
        self.added: list[tuple[Box, Track]] = []
        self._id_of = _paired_ids(old, new)

    def describe_pictures(self, video_track: int, options: GraftOptions) -> None:
        before = self._old.track(video_track)
        after = self._new.track(self._id_of.get(video_track, -1))
        if before is None or after is None or not options.same_codec:
            return
        stsd = after.table.need(b"stsd")
        old_entry = opened_picture_entry(sample_entries(before.table.need(b"stsd"))[0])
        entries = [opened_picture_entry(e) for e in sample_entries(stsd)]
        has = {box.kind for box in entries[0].children}
        skipped = WRITTEN_BY_FFMPEG | has
        if any(box.kind == b"lhvC" for box in old_entry.children):
            skipped |= STEREO  # the second eye is not there any more
        if not options.dolby_vision:
            skipped |= DOLBY_VISION
        missing = [box for box in old_entry.children if box.kind not in skipped]
        if missing:
            for entry in entries:
                entry.children += missing
            after.table.children[after.table.children.index(stsd)] = with_entries(stsd, entries)
            self.changed = True

    def add_user_data(self) -> None:
        self._add_user_data(self._old.box, self._new.box)
        for before, after in self._pairs():
            self._add_user_data(before.box, after.box)

    def _add_user_data(self, before: Box, after: Box) -> None:
        had, has = before.find(b"udta"), after.find(b"udta")
        held = {b.kind for b in loose_boxes(has.body)} if has else set()
        missing = [
            b for b in (loose_boxes(had.body) if had else [])
            if b.kind not in STALE_USER_DATA and b.kind not in held
        ]  # fmt: skip
        if missing:
            body = (has.body if has else b"") + b"".join(b.encode() for b in missing)
            kept = [c for c in after.children if c.kind != b"udta"]
            after.children[:] = [*kept, Box(b"udta", body)]
            self.changed = True
        meta = before.find(b"meta")
        if meta is not None and after.find(b"meta") is None:
            after.children.append(meta)
            self.changed = True

    def add_tracks(self) -> None:
        taken = {t.number for t in self._new.tracks}
        for track in foreign_tracks(self._old):
            if not track.is_self_contained:
                continue
            number = max(taken, default=0) + 1
            taken.add(number)
            self._id_of[track.number] = number
            box = _renumbered(track.box, number, Fraction(self._new.timescale, self._old.timescale))
            self._new.box.children.append(box)
            self.added.append((box, track))
            self.changed = True
        if self.added:
            _set_next_id(self._new.box, max(taken) + 1)

    def add_references(self) -> None:
        boxes = {t.number: t.box for t in self._new.tracks}
        boxes |= {self._id_of[track.number]: box for box, track in self.added}
        for track in self._old.tracks:
            target = boxes.get(self._id_of.get(track.number, -1))
            refs = track.box.find(b"tref")
            if target is None or refs is None:
                continue
            kept = [r for r in refs.children if r.kind not in REFS_MADE_ANEW]
            mapped = [Box(r.kind, self._mapped(r.body)) for r in kept]
            mapped = [r for r in mapped if r.body]
            own = target.find(b"tref")
            others = own.children if own is not None and track.number not in self._foreign() else []
            target.children[:] = [c for c in target.children if c.kind != b"tref"]
            if mapped or others:
                held = {o.kind for o in others}
                added = [r for r in mapped if r.kind not in held]
                target.children.insert(1, Box(b"tref", b"", [*others, *added]))
                self.changed |= bool(added)

    def _foreign(self) -> set[int]:
        return {track.number for _, track in self.added}

    def _mapped(self, body: bytes) -> bytes:
        ids = struct.unpack(f">{len(body) // 4}I", body[: len(body) // 4 * 4])
        return b"".join(struct.pack(">I", self._id_of[i]) for i in ids if i in self._id_of)

    def _pairs(self) -> Iterator[tuple[Track, Track]]:
        for number, other in list(self._id_of.items()):
            before, after = self._old.track(number), self._new.track(other)
            if before is not None and after is not None:
                yield before, after


def _paired_ids(old: Movie, new: Movie) -> dict[int, int]:
    """Which of the output's tracks each known track of the source became: both keep their order."""
    foreign = {t.number for t in foreign_tracks(old)} | old.chapter_texts()
    chapters = new.chapter_texts()
    before = [t for t in old.tracks if t.number not in foreign and t.fourcc not in MADE_ANEW]
    after = [t for t in new.tracks if t.number not in chapters and t.fourcc not in MADE_ANEW]
    pairs: dict[int, int] = {}
    for handler in {t.handler for t in before}:
        mine = [t.number for t in before if t.handler == handler]
        theirs = [t.number for t in after if t.handler == handler]
        if len(mine) == len(theirs):
            pairs |= dict(zip(mine, theirs, strict=True))
    return pairs


def _renumbered(box: Box, number: int, clock: Fraction) -> Box:
    """A copy of a track's box with another id, its lengths on another movie clock."""
    copy = Box(box.kind, box.body, [_copied(c) for c in box.children])
    head = copy.need(b"tkhd")
    wide = head.body[0] == 1
    id_at, length_at, form = (20, 28, ">Q") if wide else (12, 20, ">I")
    body = bytearray(head.body)
    struct.pack_into(">I", body, id_at, number)
    (length,) = struct.unpack_from(form, body, length_at)
    struct.pack_into(form, body, length_at, _on_clock(length, clock, form))
    head.body = bytes(body)
    edits = copy.find(b"edts", b"elst")
    if edits is not None:
        edits.body = _edits_on_clock(edits.body, clock)
    return copy


def _copied(box: Box) -> Box:
    return Box(box.kind, box.body, [_copied(c) for c in box.children])


def _on_clock(length: int, clock: Fraction, form: str) -> int:
    most = (1 << 32) - 1 if form == ">I" else (1 << 64) - 1
    return length if length == most else min(most, round(length * clock))


def _edits_on_clock(body: bytes, clock: Fraction) -> bytes:
    wide = body[0] == 1
    form, length_form = (">Qqi", ">Q") if wide else (">Iii", ">I")
    entries = struct.iter_unpack(form, body[8:])
    return body[:8] + b"".join(
        struct.pack(form, _on_clock(length, clock, length_form), media, rate)
        for length, media, rate in entries
    )


def _set_next_id(movie: Box, number: int) -> None:
    head = movie.need(b"mvhd")
    head.body = head.body[:-4] + struct.pack(">I", number)


def _rewrite(part: str, movie: Movie, work: _Graft) -> None:
    """The part anew: movie box first, then all the rest, then the added tracks' samples."""
    rest = [s for s in movie.spans if s.kind != b"moov" and s.start >= movie.spans[0].length]
    chunks = [track.chunks() for _, track in work.added]
    added_bytes = sum(int(sizes.sum()) for _, sizes in chunks)
    layout = _Layout(movie, work, rest, [sizes for _, sizes in chunks])
    layout.settle()
    target = Path(part).with_name(Path(part).name + ".grafted")
    try:
        with Path(part).open("rb") as old, Path(work.source).open("rb") as source, \
                target.open("wb") as new:  # fmt: skip
            _copy(old, 0, movie.spans[0].length, new)
            new.write(movie.box.encode())
            for span in rest:
                _copy(old, span.start, span.length, new)
            if work.added:
                new.write(struct.pack(">I4sQ", 1, b"mdat", added_bytes + LARGE_HEADER))
            for offsets, sizes in chunks:
                for offset, size in zip(offsets.tolist(), sizes.tolist(), strict=True):
                    _copy(source, offset, size, new)
            new.flush()
            os.fsync(new.fileno())
        target.replace(part)
    finally:
        target.unlink(missing_ok=True)


class _Layout:
    """Where everything lies in the rewritten file: its movie box's length moves all chunks."""

    def __init__(
        self, movie: Movie, work: _Graft, rest: list[Span], sizes: list[NDArray[np.int64]]
    ) -> None:
        self._movie, self._work, self._rest, self._sizes = movie, work, rest, sizes
        self._tables = [(t.table, chunk_offsets(t.table)) for t in movie.tracks]

    def settle(self) -> None:
        """Sets every chunk's place; offsets beyond 32 bits make the movie box longer, so again."""
        length = -1
        while length != (now := len(self._movie.box.encode())):
            length = now
            self._place(self._movie.spans[0].length + length)

    def _place(self, at: int) -> None:
        moves: list[tuple[Span, int]] = []
        for span in self._rest:
            moves.append((span, at - span.start))
            at += span.length
        for table, offsets in self._tables:
            moved = offsets.copy()
            for span, by in moves:
                inside = (offsets >= span.start) & (offsets < span.start + span.length)
                moved[inside] += by
            with_offsets(table, moved)
        at += LARGE_HEADER
        for (box, _), sizes in zip(self._work.added, self._sizes, strict=True):
            places = at + np.cumsum(sizes) - sizes
            with_offsets(box.need(b"mdia", b"minf", b"stbl"), places)
            at += int(sizes.sum())


def _copy(source: BinaryIO, offset: int, size: int, target: BinaryIO) -> None:
    for piece in read_span(source, offset, size):
        target.write(piece)
