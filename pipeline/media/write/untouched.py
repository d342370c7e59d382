"""Frames without an edit: whether they may be copied, whether the copy holds, and what if not."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.media.bitstream.units import UnitFormat, unit_format
from pipeline.media.compare.facts import FileFacts, read_facts
from pipeline.media.compare.pictures import first_difference
from pipeline.media.info import VideoInfo
from pipeline.media.opening import open_video
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.inspection import Inspection
from pipeline.media.read.source_packets import SourceFrames
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.media.write.join import Copied, Part, piece_stream
from pipeline.media.write.shared_header import NotCopyableError


def check_copies(source: FileFacts, output: FileFacts, copied: NDArray[np.int64]) -> None:
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
    if not len(copied) or not len(source.sums):
        return
    both = (source.info, source.index), (output.info, output.index)
    try:
        for run in _runs(_unproved(source, output, copied)):
            number = first_difference(*both, int(run[0]), int(run[-1]))
            if number is not None:
                raise NotCopyableError(f"frame {number} decodes otherwise beside encoded ones")
    except NotCopyableError:
        raise
    except MediaError as error:
        raise NotCopyableError(f"beside encoded frames: {error}") from error


def facts_beside_copies(part: str, copied: NDArray[np.int64]) -> FileFacts:
    """What a written file is.

    Args:
        copied: as of `check_copies`.
    Raises:
        NotCopyableError: it cannot be read, and frames of it were copied.
        MediaError: it cannot be read.
    """
    try:
        return read_facts(part)
    except MediaError as error:
        if not len(copied):
            raise
        raise NotCopyableError(f"beside encoded frames: {error}") from error


def _runs(numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rising numbers, parted where one is left out."""
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [part for part in parts if len(part)]


def _unproved(source: FileFacts, output: FileFacts, copied: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the copied frames that are to be decoded."""
    groups = source.index.group
    if not len(groups) or len(output.sums) != len(source.sums):
        return copied
    ends = [groups[run[[0, -1]]] for run in _runs(copied)]
    before, after = source.sums[copied], output.sums[copied]
    other = ~((before == after).all(1) & before.any(1))
    unsure = np.union1d(np.concatenate(ends), groups[copied[other]])
    return copied[np.isin(groups[copied], unsure) | (groups[copied] < 0)]


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
