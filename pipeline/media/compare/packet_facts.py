"""What a file's packets amount to: the pictures' and all other tracks', each byte read once."""

from __future__ import annotations

import hashlib
from array import array
from hashlib import blake2b
from typing import Any

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Stream
from numpy.typing import NDArray

from pipeline.media.bitstream.messages import LASTING, Message, messages_of
from pipeline.media.bitstream.mpeg2 import repeats_field
from pipeline.media.bitstream.units import UnitFormat, unit_format
from pipeline.media.boxes.movie import Movie, foreign_tracks
from pipeline.media.compare.track_facts import TIMED, TrackFacts, track_facts
from pipeline.media.info import VideoInfo
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.part_packets import is_in_part, packets_around
from pipeline.media.read.places import Places, packets_at, places_of
from pipeline.media.read.scan import KEYS_STAND_ALONE

NO_TEXT = b"\0\0"
"""What muxers put between two texts, as they see fit."""
COUNTED_MESSAGES = frozenset(
    ("closed captions", "ATSC user data", "active format", "HDR10+", "HDR Vivid", "user data",
     "registered user data", "time code (SEI)", "Dolby Vision metadata", "preferred transfer",
     "ambient light", "content colour volume", "stereo packing", "display orientation")
)  # fmt: skip


def read_packets(
    container: InputContainer, info: VideoInfo, index: FrameIndex, movie: Movie | None
) -> tuple[PictureReader, TrackReader]:
    """Takes all of a file's packets: where its index tells their places from there, else demuxed.

    Args:
        movie: of the file, where it has one.
    """
    video = container.streams[info.stream_index]
    pictures = PictureReader(info, index, video.codec_context.extradata)
    tracks = TrackReader(container, info, index, movie)
    demuxed: list[Stream] = []
    for stream in container.streams:
        places = None if index.cut else places_of(stream, movie)
        if stream.index == info.stream_index:
            is_taken = places is not None and pictures.take_stored(places)
        elif tracks.wants(stream):
            is_taken = places is not None and tracks.take_stored(stream, places)
        else:
            continue
        if not is_taken:
            demuxed.append(stream)
    for packet in packets_around(container, info, index, demuxed) if demuxed else ():
        if packet.size:
            (pictures if packet.stream_index == info.stream_index else tracks).take(packet)
    return pictures, tracks


class PictureReader:
    """Counts the video's packets as they come.

    Attributes:
        messages, repeats: as of `FileFacts`.
        size: bytes of all packets.
    """

    def __init__(self, info: VideoInfo, index: FrameIndex, header: bytes | None) -> None:
        self._info, self._index = info, index
        self._form: UnitFormat | None = unit_format(info.codec, header)
        self._lasting: set[Message] = set()
        self._shown = frozenset[int](index.pts.tolist() if index.cut else ())
        self.messages: dict[str, tuple[int, int]] = {}
        self.repeats = self.size = 0
        self._sums: tuple[array[int], bytearray] | None = None
        if info.codec not in KEYS_STAND_ALONE - {"ffv1"}:
            self._sums = array("q"), bytearray()

    def take_stored(self, places: Places) -> bool:
        """All packets from where they lie; False where those are not the index's, one for one."""
        index = self._index
        order = np.argsort(index.coded)
        if len(order) != len(index) or not np.array_equal(places.size, index.size[order]):
            return False
        if self._sums is None and self._form is None and not self._may_repeat:
            self.size += int(places.size.sum())  # nothing is asked of their bytes
            return True
        for data, pts in zip(
            packets_at(self._info.path, places), index.pts[order].tolist(), strict=True
        ):
            self._take(data, pts)
        return True

    def take(self, packet: Packet[Any]) -> None:
        if not self._index.cut or packet.pts in self._shown:
            self._take(memoryview(packet), packet.pts)

    @property
    def _may_repeat(self) -> bool:
        return self._info.codec == "mpeg2video"

    def _take(self, data: memoryview, pts: int | None) -> None:
        self.size += len(data)
        if self._sums is not None:
            self._sums[0].append(-1 if pts is None else pts)
            self._sums[1].extend(blake2b(data, digest_size=16).digest())
        if self._form is None:
            self.repeats += self._may_repeat and repeats_field(bytes(data))
            return
        if self._info.times_by_order:
            return  # its packets do not say which picture they are
        for message in messages_of(data, self._form):
            if message.name in COUNTED_MESSAGES:
                self._count(int(np.searchsorted(self._index.pts, pts or 0)), message)

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
        """As of `FileFacts`."""
        if self._sums is None:
            return np.zeros((0, 2), np.uint64)
        times, digests = np.array(self._sums[0], np.int64), self._sums[1]
        order = np.argsort(times, kind="stable")
        if not np.array_equal(times[order], self._index.pts):
            return np.zeros((len(self._index), 2), np.uint64)
        return np.frombuffer(digests, np.uint64).reshape(-1, 2)[order]


class TrackReader:
    """Counts the packets of all tracks besides the video as they come."""

    def __init__(
        self, container: InputContainer, info: VideoInfo, index: FrameIndex, movie: Movie | None
    ) -> None:
        self._info, self._index = info, index
        boxed = {t.number for t in foreign_tracks(movie)}
        elsewhere = boxed | (movie.chapter_texts() if movie is not None else set[int]())
        self._facts: dict[int, TrackFacts] = {}
        self._digests: dict[int, Any] = {}
        for stream in container.streams:
            if stream.index != info.stream_index and not _is_elsewhere(stream, movie, elsewhere):
                self._facts[stream.index] = track_facts(stream)
                self._digests[stream.index] = hashlib.md5(usedforsecurity=False)
                if isinstance(stream, AttachmentStream):
                    self._digests[stream.index].update(stream.data)

    def wants(self, stream: Stream) -> bool:
        return stream.index in self._facts

    def take_stored(self, stream: Stream, places: Places) -> bool:
        """All packets of sound from where they lie; False for what else there is."""
        facts = self._facts[stream.index]
        if facts.kind != "audio":
            return False
        update = self._digests[stream.index].update
        for data in packets_at(self._info.path, places):
            update(data)
        facts.packets, facts.size = len(places), int(places.size.sum())
        facts.pts = array("q", places.ticks.tobytes())
        return True

    def take(self, packet: Packet[Any]) -> None:
        index = packet.stream_index
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
            if facts.kind in TIMED:
                facts.durations.append(packet.duration or 0)

    def tracks(self) -> list[TrackFacts]:
        for index, digest in self._digests.items():
            facts = self._facts[index]
            facts.payload_md5 = digest.hexdigest()
            if facts.pts:
                facts.first_s = min(facts.pts) * facts.tick_s
                facts.last_s = max(facts.pts) * facts.tick_s
        return list(self._facts.values())


def _is_elsewhere(stream: Stream, movie: Movie | None, numbers: set[int]) -> bool:
    """Time codes and chapter titles are compared as such; boxed tracks from their boxes."""
    if stream.type == "data" and "timecode" in stream.metadata:
        return True
    return movie is not None and stream.id in numbers
