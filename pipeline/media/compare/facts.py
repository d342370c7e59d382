"""All that is compared of one file but its pictures, read in one pass over its packets."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.media.boxes.movie import read_movie
from pipeline.media.compare.packet_facts import read_packets
from pipeline.media.compare.track_facts import TrackFacts, boxed_tracks, lower_keys, track_facts
from pipeline.media.info import VideoInfo
from pipeline.media.opening import one_line_errors, open_video
from pipeline.media.read.frame_index import FrameIndex
from pipeline.media.read.part_packets import chapter_in_part
from pipeline.media.read.probe import probe
from pipeline.media.read.scan import scan
from pipeline.media.read.tags import kept_tags


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
        video = track_facts(container.streams[info.stream_index])
        pictures, others = read_packets(container, info, index, movie)
        chapters = tuple(filter(None, (_chapter(c, info, index) for c in container.chapters())))
        tags = lower_keys(kept_tags(container.metadata))
    return FileFacts(
        path=path,
        info=info,
        index=index,
        video=video,
        tracks=(*others.tracks(), *boxed_tracks(path, movie)),
        messages=pictures.messages,
        repeats=pictures.repeats,
        video_bytes=pictures.size,
        chapters=chapters,
        tags=tags,
        size=Path(path).stat().st_size,
        sums=pictures.sums(),
    )


def _chapter(found: Any, info: VideoInfo, index: FrameIndex) -> Chapter | None:
    tick_s = Fraction(found["time_base"] or 1)
    title = dict(found["metadata"]).get("title", "")
    held = chapter_in_part((found["start"] * tick_s, found["end"] * tick_s), info, index)
    return None if held is None else Chapter(*held, title)
