"""What the source's coded pictures carry, in step with an output that codes them in other order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from pipeline.errors import MediaError
from pipeline.media.bitstream.messages import LASTING, PER_PICTURE, Message, messages_of
from pipeline.media.bitstream.mpeg2 import FieldFlags, field_flags
from pipeline.media.bitstream.units import unit_format
from pipeline.media.info import VideoInfo
from pipeline.media.opening import one_line_errors, open_video, video_stream
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.inspection import Inspection
from pipeline.media.read.part_packets import packets_around
from pipeline.media.read.scan import KEYS_STAND_ALONE

DOVI_UNIT = -1
NOTHING = memoryview(b"")
TWO_LAYERS = 7
"""The Dolby Vision profile whose metadata speaks of a second layer, which is not carried."""


@dataclass(frozen=True)
class Carried:
    """What one coded picture carries.

    Attributes:
        messages: that speak of it alone: captions, dynamic HDR, time code, user data.
        lasting: that hold from it on.
        fields: of MPEG-2.
        packet: the whole, of codecs of which more than messages is carried.
    """

    messages: tuple[Message, ...] = ()
    lasting: tuple[Message, ...] = ()
    fields: FieldFlags | None = None
    packet: bytes = b""


class CodedFrame(NamedTuple):
    """A packet of the source: when it is shown, its bytes, whether decoding can start there."""

    pts: int
    data: memoryview
    is_key: bool


@dataclass
class SourcePackets:
    """Reads a source's video packets as far as needed; holds those not asked for yet.

    As a context manager: leaving closes the source. The packets held are as many as pictures can
    be out of order, so memory does not grow with the clip.

    Attributes:
        keeps_all: `at` gives whole packets, whatever the codec.
        index: where only a part of the clip is asked for.
    """

    info: VideoInfo
    keeps_all: bool = False
    index: FrameIndex | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _packets: Iterator[tuple[int, memoryview, bool]] | None = None
    _held: dict[int, Carried] = field(default_factory=dict[int, Carried])
    _lasting: dict[int, Message] = field(default_factory=dict[int, Message])

    def __enter__(self) -> Self:
        container = self._stack.enter_context(open_video(self.info.path))
        self._stack.enter_context(one_line_errors(self.info.path, "read its packets"))
        stream = video_stream(container, self.info)
        self._form = unit_format(self.info.codec, stream.codec_context.extradata)
        self._packets = (
            (packet.pts, memoryview(packet), packet.is_keyframe)
            for packet in packets_around(container, self.info, self.index, [stream])
            if packet.size and packet.pts is not None
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def at(self, pts: int) -> Carried:
        """What the picture shown at `pts` carries; to be asked once for each, in any near order."""
        if self.info.times_by_order:
            return Carried()  # its packets have no times to go by
        while pts not in self._held:
            found, packet, _ = next(self._packets or iter(()), (None, NOTHING, False))
            if found is None:
                break
            self._hold(found, self._read(packet))
        return self._held.pop(pts, Carried())

    def group(self, first_pts: int, last_pts: int, frames: int) -> Iterator[CodedFrame]:
        """The packets of closed groups of pictures as they are, in the order of the file.

        What is shown before them must have been asked for.

        Raises:
            MediaError: there are fewer.
        """
        found = 0
        while found < frames:
            pts, packet, is_key = next(self._packets or iter(()), (None, NOTHING, False))
            if pts is None:
                raise MediaError(
                    f"{self.info.path}: {found} of {frames} packets found from pts {first_pts} on"
                )
            if not first_pts <= pts <= last_pts:
                self._hold(pts, self._read(packet))
                continue
            self._messages(packet)  # some hold from here on
            found += 1
            yield CodedFrame(pts, packet, is_key)

    def _hold(self, pts: int, carried: Carried) -> None:
        """What is shown before a part is not asked for."""
        if self.index is None or pts >= self.index.pts[0]:
            self._held[pts] = carried

    def _read(self, packet: memoryview) -> Carried:
        if self.info.codec == "mpeg2video":
            return Carried(fields=field_flags(bytes(packet)))
        if self.info.codec in KEYS_STAND_ALONE:
            return Carried(packet=bytes(packet))
        if self._form is None:
            return Carried()
        own = tuple(m for m in self._messages(packet) if m.type not in LASTING)
        whole = bytes(packet) if self.keeps_all else b""
        return Carried(own, tuple(self._lasting.values()), packet=whole)

    def _messages(self, packet: memoryview) -> list[Message]:
        """Those that are carried; the lasting ones are kept for what follows."""
        if self._form is None:
            return []
        messages = [m for m in messages_of(packet, self._form) if self._is_carried(m)]
        self._lasting |= {m.type: m for m in messages if m.type in LASTING}
        return messages

    def _is_carried(self, message: Message) -> bool:
        if message.type == DOVI_UNIT:
            vision = self.info.dolby_vision
            return vision is None or vision[0] != TWO_LAYERS
        return message.type in PER_PICTURE or message.type in LASTING


@dataclass
class SourceFrames:
    """A source's coded frames one after the other, where each stands for itself (intra-only).

    As a context manager: leaving closes the source, which is opened when a frame is asked for.
    """

    inspection: Inspection
    first: int
    _stack: ExitStack = field(default_factory=ExitStack)
    _packets: Iterator[tuple[int, bytes]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def at(self, pts: int) -> bytes:
        """The packet of the frame shown at `pts`; to be asked in the order frames are shown.

        Raises:
            MediaError: there is none.
        """
        info = self.inspection.info
        if self._packets is None:
            container = self._stack.enter_context(open_video(info.path))
            stream = video_stream(container, info)
            if self.first or self.inspection.index.cut:
                container.seek(int(self.inspection.index.pts[self.first]), stream=stream)
            self._packets = (
                (p.pts, bytes(p)) for p in container.demux(stream) if p.size and p.pts is not None
            )
        with one_line_errors(info.path, "read its packets"):
            for found, data in self._packets:
                if found == pts:
                    return data
                if found > pts:
                    break
        raise MediaError(f"{info.path}: no packet of the frame at pts {pts}")
