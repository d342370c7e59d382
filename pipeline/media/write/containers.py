"""Output containers: which muxer an extension means, and what each must be told to lose nothing."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

from pipeline.errors import MediaError

MUXERS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".qt": "mov", ".mkv": "matroska",
    ".webm": "webm", ".ts": "mpegts", ".mts": "mpegts", ".m2ts": "mpegts", ".avi": "avi",
    ".nut": "nut", ".3gp": "3gp", ".3g2": "3g2",
}  # fmt: skip
LARGEST_TIMESCALE = (1 << 31) - 1
QUICKTIME_KEY = "com."
MP4_FAMILY = ("mp4", "mov", "3gp", "3g2")


def muxer_of(path: str) -> str:
    """FFmpeg's muxer for an output path.

    Raises:
        MediaError: no extension we write.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in MUXERS:
        raise MediaError(f"{path}: cannot write {suffix or 'no extension'}; known: "
                         f"{', '.join(MUXERS)}")  # fmt: skip
    return MUXERS[suffix]


def muxer_options(
    path: str,
    time_bases: dict[int, Fraction],
    metadata: dict[str, str],
    late_clocks: set[int],
) -> dict[str, str]:
    """What to tell the muxer so that every time and tag survives.

    Args:
        time_bases: of the video streams that become tracks, by stream index.
        metadata: of the container.
        late_clocks: ticks per second of what must be told on the movie's clock: of streams that
            do not begin at 0 (an edit list holds their offset) and of the source's own movie. The
            mp4 muxer counts in milliseconds unless told otherwise.
    """
    muxer = muxer_of(path)
    if muxer in MP4_FAMILY:
        return _mp4_options(time_bases, metadata, late_clocks)
    if muxer == "mpegts":
        options = {"mpegts_copyts": "1", "avoid_negative_ts": "disabled"}
        return options | ({"mpegts_m2ts_mode": "1"} if path.lower().endswith("m2ts") else {})
    if muxer in ("matroska", "webm"):
        return {"avoid_negative_ts": "disabled"}
    return {}


def _mp4_options(
    time_bases: dict[int, Fraction], metadata: dict[str, str], late_clocks: set[int]
) -> dict[str, str]:
    flags = "+faststart"
    if any(key.startswith(QUICKTIME_KEY) for key in metadata):
        flags += "+use_metadata_tags"
    options = {"movflags": flags}
    scale = math.lcm(*(base.denominator for base in time_bases.values()))
    if scale <= LARGEST_TIMESCALE:
        options["video_track_timescale"] = str(scale)  # one for all video tracks
    movie = math.lcm(1, *late_clocks)
    if late_clocks and movie <= LARGEST_TIMESCALE:
        options["movie_timescale"] = str(movie)
    return options
