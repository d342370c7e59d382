"""Frames without an edit: whether they may be copied, whether the copy holds, and what if not."""

from __future__ import annotations

import contextlib
import itertools
from array import array
from collections.abc import Generator, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.bitstream.units import UnitFormat, unit_format
from pipeline.media.compare.pictures import first_difference
from pipeline.media.info import VideoInfo
from pipeline.media.opening import one_line_errors, open_video, video_stream
from pipeline.media.read.decode import decode_range
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.inspection import Inspection
from pipeline.media.read.part_packets import packets_around
from pipeline.media.read.probe import probe, scan
from pipeline.media.read.scan import KEYS_STAND_ALONE
from pipeline.media.read.source_packets import SourceFrames
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.media.write.join import Copied, Part, piece_stream
from pipeline.media.write.shared_header import NotCopyableError


def check_copies(part: str, info: VideoInfo, index: FrameIndex, copied: NDArray[np.int64]) -> None:
    """Decode in both files what equal packets alone do not prove.

    Groups of pictures decode from nothing but their packets and the headers before them. So each
    run of copies is decoded in its first and its last group, beside which encoded frames may stand,
    and in every group of which a packet is not the source's to the byte. Packets that stand alone
    need no such proof.

    Args:
        copied: `(C,)` numbers of the frames, rising.
    Raises:
        NotCopyableError: a frame decodes otherwise, or not at all.
    """
    if not len(copied) or info.codec in KEYS_STAND_ALONE - {"ffv1"}:
        return
    try:
        found = probe(part)
        output = found, scan(part, found)
        for run in _runs(_unproved((info, index), output, copied)):
            number = first_difference((info, index), output, int(run[0]), int(run[-1]))
            if number is not None:
                raise NotCopyableError(f"frame {number} decodes otherwise beside encoded ones")
    except NotCopyableError:
        raise
    except MediaError as error:
        raise NotCopyableError(f"beside encoded frames: {error}") from error


Indexed = tuple[VideoInfo, FrameIndex]


def _runs(numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rising numbers, parted where one is left out."""
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [part for part in parts if len(part)]


def _unproved(source: Indexed, output: Indexed, copied: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the copied frames that are to be decoded."""
    groups = source[1].group
    if not len(groups) or len(output[1]) != len(source[1]):
        return copied
    ends = [groups[run[[0, -1]]] for run in _runs(copied)]
    before, after = _sums(*source)[copied], _sums(*output)[copied]
    other = ~((before == after).all(1) & before.any(1))
    unsure = np.union1d(np.concatenate(ends), groups[copied[other]])
    return copied[np.isin(groups[copied], unsure) | (groups[copied] < 0)]


def _sums(info: VideoInfo, index: FrameIndex) -> NDArray[np.uint64]:
    """`(N, 2)`: 128 bits over each frame's packet; 0 where not each frame is one packet."""
    times, digests = array("q"), bytearray()
    shown = frozenset(index.pts.tolist()) if index.cut else None
    with open_video(info.path) as container, one_line_errors(info.path, "read its packets"):
        for packet in packets_around(container, info, index, [video_stream(container, info)]):
            if packet.size and (shown is None or packet.pts in shown):
                times.append(-1 if packet.pts is None else packet.pts)
                digests += blake2b(packet, digest_size=16).digest()
    order = np.argsort(times, kind="stable")
    if not np.array_equal(np.array(times)[order], index.pts):
        return np.zeros((len(index), 2), np.uint64)
    return np.frombuffer(digests, np.uint64).reshape(-1, 2)[order]


def encoded_anew(
    parts: Sequence[Part],
    folder: Path,
    info: VideoInfo,
    index: FrameIndex,
    settings: EncodeSettings,
) -> list[str]:
    """The parts with encoded frames in place of all that was to be copied.

    Args:
        folder: where those pieces go.
    """
    pieces: list[str] = []
    first = 0
    for part in parts:
        count = part.frames if isinstance(part, Copied) else _packets_in(part)
        if isinstance(part, str) and not settings.copies_untouched:
            pieces.append(part)
        else:
            path = str(folder / f"encoded-{first:06d}.{settings.piece_format}")
            _write_anew(part, path, Inspection(info, index), (first, count), settings)
            pieces.append(path)
        first += count
    return pieces


def _write_anew(
    part: Part, path: str, seen: Inspection, where: tuple[int, int], settings: EncodeSettings
) -> None:
    """A piece of which no packet is the source's; those of a piece that are not are taken over."""
    first, count = where
    frames = decode_range(seen.info.path, seen.info, seen.index, first, first + count - 1)
    with (
        PieceWriter(path, seen.info, settings) as writer,
        SourceFrames(seen, first) as source,
        _packets(part, seen.info.codec) as (packets, form),
    ):
        for frame in frames:
            packet = next(packets)
            if not packet or _is_the_source_s(packet, form, source, frame.pts or 0):
                writer.write(frame)
            elif form is None:
                writer.copy(packet, frame)
            else:
                writer.copy(UnitFormat(form.codec, 0).join(form.split(packet)), frame)


def _is_the_source_s(
    packet: bytes, form: UnitFormat | None, source: SourceFrames, pts: int
) -> bool:
    return packet == source.at(pts) if form is None else form.is_mark(packet)


@contextlib.contextmanager
def _packets(part: Part, codec: str) -> Generator[tuple[Iterator[bytes], UnitFormat | None]]:
    """A piece's packets in order, or empty ones without end; how they hold their units."""
    if isinstance(part, Copied):
        yield itertools.repeat(b""), None
        return
    with open_video(part) as container:
        stream = piece_stream(container, part)
        packets = (bytes(p) for p in container.demux(stream) if p.size)
        yield packets, unit_format(codec, stream.codec_context.extradata)


def _packets_in(piece: str) -> int:
    with open_video(piece) as container:
        return sum(p.size > 0 for p in container.demux(piece_stream(container, piece)))
