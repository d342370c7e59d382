"""Two files side by side: every promise of "footage in, the same footage out", one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from keyframes.clock.part import Part
from pipeline.media.compare.clocks import compare_times
from pipeline.media.compare.extras import compare_extras
from pipeline.media.compare.facts import FileFacts, facts_of, read_facts
from pipeline.media.compare.findings import Comparison, Finding
from pipeline.media.compare.format import compare_format
from pipeline.media.compare.pictures import PictureFigures, compare_pictures
from pipeline.media.compare.quality import compare_quality, figures_of
from pipeline.media.compare.tracks import compare_tracks
from pipeline.media.read.inspection import inspect_video

SAMPLED_FRAMES = 6

Look = Literal["all", "sampled"]


@dataclass(frozen=True)
class Witnessed:
    """A comparison with the facts it was made from."""

    comparison: Comparison
    source: FileFacts
    output: FileFacts


def compare_files(
    source: str, output: str, *, look: Look = "all", only: Part | None = None
) -> Comparison:
    """Everything one file holds of another, by reading both.

    Args:
        only: the part of the source that the output is to hold.
        look: at all pictures, or at a few spread over the file (what finishing a file can afford).
    Raises:
        MediaError: one of them is no sound video.
        KeyframeError: the source has no such part.
    """
    before = read_facts(source) if only is None else _facts_in(source, only)
    return witness(before, read_facts(output), look=look)


def _facts_in(source: str, only: Part) -> FileFacts:
    whole = inspect_video(source)
    part = whole.part(*only.frames(whole.timeline))
    return facts_of(source, part.labelled, part.index)


def witness(source: FileFacts, output: FileFacts, *, look: Look = "all") -> Comparison:
    """Like compare_files, of facts already read."""
    shift, findings = compare_times(source, output)
    findings += compare_format(source, output)
    findings += compare_tracks(source, output, shift)
    findings += compare_extras(source, output, shift)
    pictures = _pictures(source, output, look)
    if pictures is not None:
        findings += compare_quality(source, output, pictures)
    return Comparison(source.path, output.path, tuple(findings), _figures(source, output, pictures))


def _pictures(source: FileFacts, output: FileFacts, look: Look) -> PictureFigures | None:
    before, after = source.info, output.info
    if (before.width, before.height) != (after.width, after.height):
        return None
    numbers = _spread(source) if look == "sampled" else None
    return compare_pictures((before, source.index), (after, output.index), numbers)


def _spread(source: FileFacts) -> Sequence[int]:
    """Numbers of a few frames: key frames of the source, which are quick to reach."""
    keys = [n for n, is_key in enumerate(source.index.is_key.tolist()) if is_key] or [0]
    step = max(1, -(-len(keys) // SAMPLED_FRAMES))
    return sorted({*keys[::step], 0})


def _figures(
    source: FileFacts, output: FileFacts, pictures: PictureFigures | None
) -> dict[str, Any]:
    sizes = {
        "source_bytes": source.size,
        "output_bytes": output.size,
        "video_bytes": [source.video_bytes, output.video_bytes],
        "frames": [len(source.index), len(output.index)],
    }
    return sizes if pictures is None else {**sizes, **figures_of(pictures)}


__all__ = ["Finding", "Witnessed", "compare_files", "witness"]
