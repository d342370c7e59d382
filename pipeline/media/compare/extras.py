"""What travels with the pictures and with the file: messages, time code, chapters, tags."""

from __future__ import annotations

from fractions import Fraction

from pipeline.media.compare.facts import FileFacts
from pipeline.media.compare.findings import Finding, kept, limited, lost
from pipeline.media.read.dolby_vision import DolbyVision
from pipeline.media.read.tags import compared_tags

CARRIES_MESSAGES = {"h264", "hevc"}
CARRIES_DOLBY_VISION = {"hevc", "av1", "h264"}
NO_CHAPTERS = {"avi", "mpegts"}
NO_TIMECODE = {"avi", "mpegts", "matroska,webm"}
CHAPTER_SLACK_S = Fraction(1, 1000)


def compare_extras(source: FileFacts, output: FileFacts, shift: Fraction) -> list[Finding]:
    """One finding per kind of thing the source has."""
    return [
        *_messages(source, output),
        *_repeats(source, output),
        *_dolby_vision(source, output),
        *_layers(source, output),
        *_timecode(source, output),
        *_chapters(source, output, shift),
        *_tags(source, output),
    ]


def _messages(source: FileFacts, output: FileFacts) -> list[Finding]:
    findings: list[Finding] = []
    for name, (count, digest) in sorted(source.messages.items()):
        have, found = output.messages.get(name, (0, 0))
        if (have, found) == (count, digest):
            findings.append(kept(name, f"{count} of them, at their pictures"))
        elif output.info.codec not in CARRIES_MESSAGES:
            continue  # compared on the decoded pictures, which any codec may carry them to
        else:
            words = f"{have}; the source has {count}" if have != count else "changed or moved"
            findings.append(lost(name, words))
    return findings


def _repeats(source: FileFacts, output: FileFacts) -> list[Finding]:
    if not source.repeats:
        return []
    if source.repeats == output.repeats:
        return [kept("repeated fields", f"{source.repeats} pictures")]
    words = f"{output.repeats} pictures; the source has {source.repeats}"
    if output.info.codec != "mpeg2video":
        return [limited("repeated fields", f"{output.info.codec} has no place for them here")]
    return [lost("repeated fields", words)]


def _dolby_vision(source: FileFacts, output: FileFacts) -> list[Finding]:
    before, after = source.info.dolby_vision, output.info.dolby_vision
    if before is None:
        return []
    name = DolbyVision(*before).name
    if before == after:
        return [kept("Dolby Vision", name)]
    verdict = lost if output.info.codec in CARRIES_DOLBY_VISION else limited
    return [verdict("Dolby Vision", f"the record of {name} is gone")]


def _layers(source: FileFacts, output: FileFacts) -> list[Finding]:
    if source.info.layers == output.info.layers:
        return []
    return [lost("second eye", "the layer with the other eye's pictures is gone")]


def _timecode(source: FileFacts, output: FileFacts) -> list[Finding]:
    before, after = source.info.timecode, output.info.timecode
    if before is None:
        return []
    if before == after:
        return [kept("time code", before)]
    verdict = limited if after is None and output.info.container in NO_TIMECODE else lost
    return [verdict("time code", f"{after}; the source's {before}")]


def _chapters(source: FileFacts, output: FileFacts, shift: Fraction) -> list[Finding]:
    before, after = source.chapters, output.chapters
    if not before:
        return []
    if not after and output.info.container in NO_CHAPTERS:
        return [limited("chapters", f"{len(before)} left out: the container has no place for them")]
    if [c.title for c in before] != [c.title for c in after]:
        return [lost("chapters", f"{len(after)} of {len(before)}, or other titles")]
    off = max(
        max(abs(b.start_s - a.start_s - shift), abs(b.end_s - a.end_s - shift))
        for a, b in zip(before, after, strict=True)
    )
    if off > CHAPTER_SLACK_S:
        return [lost("chapters", f"{float(off) * 1000:.3f} ms off")]
    return [kept("chapters", f"{len(before)}, with their titles and times")]


def _tags(source: FileFacts, output: FileFacts) -> list[Finding]:
    had, has = compared_tags(source.tags), compared_tags(output.tags)
    gone = sorted(key for key, value in had.items() if value and has.get(key) != value)
    if gone:
        return [limited("tags", f"the container did not take {', '.join(gone)}")]
    return [kept("tags", f"{len(had)} of the container")] if had else []
