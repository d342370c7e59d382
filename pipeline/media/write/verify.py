"""Reading a finished file back: is everything of the source in it, and nothing else changed?"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import MediaError
from pipeline.media.compare.facts import FileFacts
from pipeline.media.compare.findings import Comparison, Finding, Verdict
from pipeline.media.compare.witness import witness
from pipeline.media.info import VideoInfo

PICTURE = ("size", "sample aspect", "rotation", "range", "matrix", "transfer", "primaries")
DEPTH = ("pixel format", "bit depth")
FATAL = ("frames", "frame times", *PICTURE, *DEPTH, "alpha", "alpha samples")
"""What no output may get wrong; the rest is published with a warning that names it."""
FATAL_KINDS = ("audio ", "video ", "sound ")


@dataclass(frozen=True)
class Verified:
    """A comparison, and what of it a report must tell, one line each."""

    comparison: Comparison
    warnings: tuple[str, ...]


def verify_output(
    output: str, source: FileFacts, found: FileFacts, allowed: tuple[str, ...]
) -> Verified:
    """Compare a written file with its source.

    Args:
        output: the name it is to take.
        source, found: what both are, each read once for all that is asked of it.
        allowed: topics that were asked to change, as `bit depth`.
    Raises:
        MediaError: frames, their times, a sound or video track or its times, colour tags,
            rotation, pixel shape or format differ.
    """
    comparison = witness(source, found, look="sampled")
    _check_codec(output, source.info, found.info, allowed)
    for finding in comparison.of(Verdict.LOST):
        if _is_fatal(finding) and finding.topic not in allowed:
            raise MediaError(f"{output}: {finding.topic} reads back as {finding.words}")
    told = comparison.of(Verdict.LIMITED, Verdict.LOST)
    return Verified(comparison, tuple(f"{f.topic}: {f.words}" for f in told))


def _check_codec(output: str, info: VideoInfo, found: VideoInfo, allowed: tuple[str, ...]) -> None:
    if found.codec != info.codec and "codec" not in allowed:
        raise MediaError(f"{output}: codec reads back as {found.codec}; expected {info.codec}")


def _is_fatal(finding: Finding) -> bool:
    of_a_track = finding.topic.startswith(FATAL_KINDS)
    labels = finding.topic.endswith(("language", "disposition", "tags"))
    return finding.topic in FATAL or (of_a_track and not labels)
