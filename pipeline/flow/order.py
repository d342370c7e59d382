"""In which order the videos of a call are begun, and which of them share an analysis."""

from __future__ import annotations

from pipeline.rows import VideoRow
from pipeline.run_folder.store import shown_state
from pipeline.source import Identity


def longest_first(videos: list[VideoRow]) -> list[VideoRow]:
    """The order in which videos are begun: the largest files first."""
    return sorted(videos, key=lambda v: -Identity.parse(v["identity"]).size)


def after_each(videos: list[VideoRow]) -> dict[str, int]:
    """How many videos are begun after each; after the first, of those that share a source.

    So equal outputs of one source are cut alike, and have the same bytes. The very first is cut as
    if none came after it: its output is the first that anybody sees, and as soon as a single one.
    """
    line = longest_first(videos)
    after: dict[tuple[str, str], int] = {}
    for number, video in enumerate(line, start=1):
        after.setdefault(_source(video), len(line) - number if after else 0)
    return {video["video"]: after[_source(video)] for video in line}


def by_source(wave: list[VideoRow]) -> dict[str, list[VideoRow]]:
    """Videos that share an analysis, under the name of the first: it is made once for all."""
    sharing: dict[tuple[str, str], list[VideoRow]] = {}
    for video in wave:
        sharing.setdefault(_source(video), []).append(video)
    return {videos[0]["video"]: videos for videos in sharing.values()}


def _source(video: VideoRow) -> tuple[str, str]:
    return video["work"], shown_state(video)
