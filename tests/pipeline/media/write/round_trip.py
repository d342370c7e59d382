"""Decode, encode in pieces, finish: what a run does to a clip, without Ray and without an edit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.probe import FrameIndex, VideoInfo, probe, scan
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.media.write.encoding.settings import EncodeSettings
from pipeline.media.write.mux import FinishedVideo, finish


def make_pieces(
    source: str, folder: Path, cuts: list[int], **changes: str
) -> tuple[VideoInfo, FrameIndex, EncodeSettings, list[str]]:
    """The source encoded in pieces, cut before the frames given."""
    info = probe(source)
    index = scan(source, info)
    encoding = dataclasses.replace(mirror_settings(info, "ultrafast", index=index), **changes)
    pieces = []
    for first, end in zip([0, *cuts], [*cuts, len(index)], strict=True):
        pieces.append(str(folder / f"{first:06d}.mp4"))
        with PieceWriter(pieces[-1], info, encoding) as writer:
            for frame in decode_range(source, info, index, first, end - 1):
                writer.write(frame)
    return info, index, encoding, pieces


def round_trip(
    source: str, folder: Path, cuts: list[int], name: str | None = None
) -> tuple[FinishedVideo, VideoInfo]:
    info, index, encoding, pieces = make_pieces(source, folder, cuts)
    output = str(folder / (name or f"out{Path(source).suffix}"))
    return finish(info, index, pieces, output, encoding), info
