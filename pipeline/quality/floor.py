"""What the encoder alone does to a shot: some of its frames encoded again without an edit."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.faces.faces import Analysis
from pipeline.media.read.decoding.decode import decode_range, display_rgb
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.quality.metrics.background import background_error, worst_block
from pipeline.quality.regions import outside_mask

FRAMES = 32
"""Encoded again: the background's error is within 2 % of that of 96 frames, the worst block, which
is a maximum, up to 22 % below (three clips)."""


@dataclass(frozen=True)
class EncoderFloor:
    """The encoder's own error outside the faces.

    Attributes:
        background: RMSE, 0…1, mean over the frames.
        worst_block: 8-bit levels, the worst of all.
        frames: how many were encoded again.
        preset: the encoder's effort.
    """

    background: float
    worst_block: float
    frames: int
    preset: str


def encoder_floor(
    source: Inspection, analysis: Analysis, around: int, preset: str = "medium"
) -> EncoderFloor:
    """Encodes a run of the source's frames as an edit would be, and measures what changed.

    Args:
        around: frame in the middle of the run.
        preset: as given to the job; an output that another encoder made has another floor.
    Raises:
        MediaError: a source whose codec cannot be mirrored.
    """
    info, index = source.info, source.index
    first = int(np.clip(around - FRAMES // 2, 0, max(source.frames - FRAMES, 0)))
    last = min(first + FRAMES, source.frames) - 1
    settings = mirror_settings(info, preset, index=index)
    with tempfile.TemporaryDirectory(prefix="aureel-floor-") as folder:
        piece = Path(folder) / f"floor.{settings.piece_format}"
        with PieceWriter(str(piece), info, settings) as writer:
            for frame in decode_range(info.path, info, index, first, last):
                writer.write(frame)
        made = inspect_video(str(piece))
        coded = decode_range(str(piece), made.info, made.index, 0, made.frames - 1)
        plain = decode_range(info.path, info, index, first, last)
        errors: list[tuple[float, float]] = []
        for number, (a, b) in enumerate(zip(plain, coded, strict=True), start=first):
            before, after = display_rgb(a, info), display_rgb(b, info)
            outside = outside_mask(
                before.shape, list(analysis.landmarks_px[analysis.frame == number])
            )
            error = background_error(before, after, outside)
            errors.append((error, worst_block(before, after, outside).difference))
    background, worst = np.array(errors).T
    return EncoderFloor(float(np.nanmean(background)), float(worst.max()), len(errors), preset)
