"""Frames without an edit: whether they may be copied, whether the copy holds, and what if not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import MediaError
from pipeline.media.compare.pictures import first_difference
from pipeline.media.info import VideoInfo
from pipeline.media.read.decode import decode_range
from pipeline.media.read.probe import probe, scan
from pipeline.media.read.scan import KEYS_STAND_ALONE, FrameIndex
from pipeline.media.write.encoding.encode import EncodeSettings, PieceWriter
from pipeline.media.write.join import Copied, Part
from pipeline.media.write.shared_header import NotCopyableError


def check_copies(part: str, info: VideoInfo, index: FrameIndex, copied: Sequence[Copied]) -> None:
    """Decode what was copied in both files; packets that stand alone need no such proof.

    Raises:
        NotCopyableError: a frame decodes otherwise, or not at all.
    """
    if not copied or info.codec in KEYS_STAND_ALONE - {"ffv1"}:
        return
    try:
        found = probe(part)
        output = found, scan(part, found)
        for run in copied:
            number = first_difference((info, index), output, run.first, run.last)
            if number is not None:
                raise NotCopyableError(f"frame {number} decodes otherwise beside encoded ones")
    except NotCopyableError:
        raise
    except MediaError as error:
        raise NotCopyableError(f"beside encoded frames: {error}") from error


def encoded_anew(
    parts: Sequence[Part],
    folder: Path,
    info: VideoInfo,
    index: FrameIndex,
    settings: EncodeSettings,
) -> list[str]:
    """The parts with pieces in place of what was to be copied.

    Args:
        folder: where those pieces go.
    """
    pieces: list[str] = []
    for part in parts:
        if not isinstance(part, Copied):
            pieces.append(part)
            continue
        path = folder / f"encoded-{part.first:06d}.{settings.piece_format}"
        with PieceWriter(str(path), info, settings) as writer:
            for frame in decode_range(info.path, info, index, part.first, part.last):
                writer.write(frame)
        pieces.append(str(path))
    return pieces
