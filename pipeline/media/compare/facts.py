"""All that is compared of one file but its pictures, read in one pass over its packets."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream
from numpy.typing import NDArray

from pipeline.media.bitstream.messages import LASTING, Message, messages_of
from pipeline.media.bitstream.mpeg2 import repeats_field
from pipeline.media.bitstream.units import UnitFormat, unit_format
from pipeline.media.boxes.movie import Movie, foreign_tracks, payload_md5, read_movie
from pipeline.media.boxes.tree import MalformedBoxError
from pipeline.media.info import VideoInfo
from pipeline.media.opening import one_line_errors, open_video
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.part_packets import chapter_in_part, is_in_part, packets_around
from pipeline.media.read.probe import probe
from pipeline.media.read.scan import KEYS_STAND_ALONE, scan
from pipeline.media.read.tags import kept_tags

NO_TEXT = b"\0\0"
"""What muxers put between two texts, as they see fit."""
COUNTED_MESSAGES = frozenset(
    ("closed captions", "ATSC user data", "active format", "HDR10+", "HDR Vivid", "user data",
     "registered user data", "time code (SEI)", "Dolby Vision metadata", "preferred transfer",
     "ambient light", "content colour volume", "stereo packing", "display orientation")
)  # fmt: skip


KINDS = {"soun": "sound", "vide": "pictures", "text": "text", "sbtl": "text"}
"""What a track is that only boxes tell of, by its handler."""


@dataclass
class TrackFacts:
    """One track besides the video.

    Attributes:
        kind: `audio`, `subtitle`, `data`, `attachment`, `cover`, …
        codec: FFmpeg's name, or the four letters of a track that FFmpeg does not know.
        language, disposition, tags: as the container says.
        payload_md5: over all its bytes in file order, however they are cut into packets.
        words: of timed text in mp4, without what stands for none.
        first_s, last_s: least and greatest time of a packet, exact; None without times.
        pts, durations: of every packet that has a time, in ticks, in file order.
        tick_s: the track's clock.
        timing: of a track read from boxes: durations and edits; None elsewhere.
    """

    index: int
    kind: str
    codec: str
    language: str | None = None
    disposition: int = 0
    tags: dict[str, str] = field(default_factory=dict[str, str])
    packets: int = 0
    size: int = 0
    payload_md5: str = ""
    words: bytes = field(default=b"", repr=False)
    first_s: Fraction | None = None
    last_s: Fraction | None = None
    pts: array[int] = field(default_factory=lambda: array("q"), repr=False)
    durations: array[int] = field(default_factory=lambda: array("q"), repr=False)
    tick_s: Fraction = Fraction(1)
    timing: tuple[object, ...] | None = None

    @property
    def name(self) -> str:
        return f"{self.kind} {self.index} ({self.codec})"


@dataclass(frozen=True)
class Chapter:
    """A named stretch, seconds on the container's own clock."""

    start_s: Fraction
    end_s: Fraction
    title: str


@dataclass(frozen=True)
class FileFacts:
    """A file as the comparison sees it.

    Attributes:
        video: what the container says of the video's own track.
        messages: of each kind that speaks of a picture: in how many pictures, and a sum of digests
            that two files share only if the same messages stand at the same pictures.
        repeats: pictures of which a field is shown again.
        video_bytes: of all packets of the video.
        sums: `(N, 2)` uint64, 128 bits over each frame's packet, of codecs whose frames need others
            to decode; 0 where not each frame is one packet, of length 0 of other codecs.
        chapters, tags: of the container.
    """

    path: str
    info: VideoInfo
    index: FrameIndex
    video: TrackFacts
    tracks: tuple[TrackFacts, ...]
    messages: dict[str, tuple[int, int]]
    repeats: int
    video_bytes: int
    chapters: tuple[Chapter, ...]
    tags: dict[str, str]
    size: int
    sums: NDArray[np.uint64] = field(repr=False)


def read_facts(path: str) -> FileFacts:
    """Reads a file's headers and all its packets; memory does not grow with its length.

    Raises:
        MediaError: no sound video; the line says why.
    """
    info = probe(path)
    return facts_of(path, info, scan(path, info))


def facts_of(path: str, info: VideoInfo, index: FrameIndex) -> FileFacts:
    """Like read_facts, where headers and frames are known."""
    movie = read_movie(path)
    with open_video(path) as container, one_line_errors(path, "read its packets"):
        reader = _PacketReader(container, info, index, movie)
        video = track_facts(container.streams[info.stream_index])
        for packet in packets_around(container, info, index, list(container.streams)):
            if packet.size:
                reader.take(packet)
        chapters = tuple(filter(None, (_chapter(c, info, index) for c in container.chapters())))
        tags = _lower(kept_tags(container.metadata))
    return FileFacts(
        path=path,
        info=info,
        index=index,
        video=video,
        tracks=(*reader.tracks(), *_boxed_tracks(path, movie)),
        messages=reader.messages,
        repeats=reader.repeats,
        video_bytes=reader.video_bytes,
        chapters=chapters,
        tags=tags,
        size=Path(path).stat().st_size,
        sums=reader.sums(),
    )


def _chapter(found: Any, info: VideoInfo, index: FrameIndex) -> Chapter | None:
    tick_s = Fraction(found["time_base"] or 1)
    title = dict(found["metadata"]).get("title", "")
    held = chapter_in_part((found["start"] * tick_s, found["end"] * tick_s), info, index)
    return None if held is None else Chapter(*held, title)


class _PacketReader:
    """Counts packets as they come."""

    def __init__(
        self, container: InputContainer, info: VideoInfo, index: FrameIndex, movie: Movie | None
    ) -> None:
        self._info, self._index = info, index
        video = container.streams[info.stream_index]
        context = video.codec_context
        self._form: UnitFormat | None = unit_format(info.codec, context.extradata)
        self._boxed = {t.number for t in foreign_tracks(movie)}
        self._facts: dict[int, TrackFacts] = {}
        self._digests: dict[int, Any] = {}
        self._lasting: set[Message] = set()
        self._shown = frozenset[int](index.pts.tolist() if index.cut else ())
        for stream in container.streams:
            if stream.index != info.stream_index and not self._is_elsewhere(stream, movie):
                self._facts[stream.index] = track_facts(stream)
                self._digests[stream.index] = hashlib.md5(usedforsecurity=False)
                if isinstance(stream, AttachmentStream):
                    self._digests[stream.index].update(stream.data)
        self.messages: dict[str, tuple[int, int]] = {}
        self.repeats = self.video_bytes = 0
        self._sums: tuple[array[int], bytearray] | None = None
        if info.codec not in KEYS_STAND_ALONE - {"ffv1"}:
            self._sums = array("q"), bytearray()

    def _is_elsewhere(self, stream: Stream, movie: Movie | None) -> bool:
        """Time codes and chapter titles are compared as such; boxed tracks from their boxes."""
        if stream.type == "data" and "timecode" in stream.metadata:
            return True
        if movie is None:
            return False
        return stream.id in movie.chapter_texts() or stream.id in self._boxed

    def take(self, packet: Packet[Any]) -> None:
        index = packet.stream.index
        if index == self._info.stream_index:
            self._take_picture(packet)
            return
        facts = self._facts.get(index)
        if facts is None or not is_in_part(packet, self._info, self._index):
            return
        self._digests[index].update(packet)
        if facts.codec == "mov_text":
            if bytes(packet) == NO_TEXT:
                return
            facts.words += bytes(packet)
        facts.packets += 1
        facts.size += packet.size
        if packet.pts is not None:
            facts.pts.append(packet.pts)
            facts.durations.append(packet.duration or 0)

    def _take_picture(self, packet: Packet[Any]) -> None:
        if self._index.cut and packet.pts not in self._shown:
            return
        self.video_bytes += packet.size
        if self._sums is not None:
            self._sums[0].append(-1 if packet.pts is None else packet.pts)
            self._sums[1].extend(blake2b(packet, digest_size=16).digest())
        if self._form is None:
            self.repeats += self._info.codec == "mpeg2video" and repeats_field(bytes(packet))
            return
        if self._info.times_by_order:
            return  # its packets do not say which picture they are
        for message in messages_of(bytes(packet), self._form):
            if message.name in COUNTED_MESSAGES:
                number = int(np.searchsorted(self._index.pts, packet.pts or 0))
                self._count(number, message)

    def _count(self, number: int, message: Message) -> None:
        if message.type in LASTING:
            if message in self._lasting:
                return
            self._lasting.add(message)
            number = 0  # it holds from then on, wherever it is said again
        digest = hashlib.md5(usedforsecurity=False)
        digest.update(b"%d %d " % (number, message.type) + message.payload)
        count, total = self.messages.get(message.name, (0, 0))
        added = int.from_bytes(digest.digest(), "big")
        self.messages[message.name] = count + 1, (total + added) % (1 << 128)

    def sums(self) -> NDArray[np.uint64]:
        if self._sums is None:
            return np.zeros((0, 2), np.uint64)
        times, digests = np.array(self._sums[0], np.int64), self._sums[1]
        order = np.argsort(times, kind="stable")
        if not np.array_equal(times[order], self._index.pts):
            return np.zeros((len(self._index), 2), np.uint64)
        return np.frombuffer(digests, np.uint64).reshape(-1, 2)[order]

    def tracks(self) -> list[TrackFacts]:
        for index, digest in self._digests.items():
            facts = self._facts[index]
            facts.payload_md5 = digest.hexdigest()
            if facts.pts:
                facts.first_s = min(facts.pts) * facts.tick_s
                facts.last_s = max(facts.pts) * facts.tick_s
        return list(self._facts.values())


def track_facts(stream: Stream) -> TrackFacts:
    """A stream's header."""
    context = stream.codec_context
    cover = bool(stream.disposition & Disposition.attached_pic)
    kind = "attachment" if isinstance(stream, AttachmentStream) else stream.type
    codec = context.codec.canonical_name if context is not None else "unknown"
    return TrackFacts(
        stream.index,
        "cover" if cover else kind,
        stream.metadata.get("filename", codec) if kind == "attachment" else codec,
        _language(stream),
        int(stream.disposition),
        _lower(kept_tags(stream.metadata)),
        tick_s=stream.time_base or Fraction(1),
    )


def _language(stream: Stream) -> str | None:
    language = stream.metadata.get("language")
    return None if language in (None, "und") else language


def _lower(tags: dict[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in tags.items()}


def _boxed_tracks(path: str, movie: Movie | None) -> list[TrackFacts]:
    found: list[TrackFacts] = []
    for track in foreign_tracks(movie):
        try:
            found.append(
                TrackFacts(
                    track.number - 1, KINDS.get(track.handler, "metadata"),
                    track.fourcc, packets=track.sample_count(),
                    payload_md5=payload_md5(path, track),
                    timing=track.timing(movie.timescale if movie else 1),
                )
            )  # fmt: skip
        except MalformedBoxError:
            continue
    return found
