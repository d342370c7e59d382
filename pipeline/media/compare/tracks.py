"""Every track besides the video: that it is there, what it holds, and when."""

from __future__ import annotations

from fractions import Fraction

from pipeline.media.compare.facts import FileFacts, TrackFacts
from pipeline.media.compare.findings import Finding, kept, limited, lost
from pipeline.media.read.tags import compared_tags

ONE_US = Fraction(1, 1_000_000)
UNHELD: dict[str, frozenset[str]] = {
    "matroska,webm": frozenset(("data", "metadata", "sound", "pictures", "text")),
    "mpegts": frozenset(("data", "metadata", "sound", "cover", "attachment", "text", "subtitle")),
    "avi": frozenset(("data", "metadata", "sound", "cover", "attachment", "text", "subtitle")),
    "mov,mp4,m4a,3gp,3g2,mj2": frozenset(("attachment", "data")),
}
"""Kinds of tracks a container has no place for."""
NO_LANGUAGES = {"avi"}
NO_DISPOSITIONS = {"avi", "mpegts"}
DEFAULT_DISPOSITION = 1
PACKAGED_ANEW = {"aac", "h264", "hevc", "pcm_bluray"}
"""Codecs whose packets MPEG-TS wraps in headers of their own."""
HANDLER_TAGS = {"handler_name", "title"}


def compare_tracks(source: FileFacts, output: FileFacts, shift: Fraction) -> list[Finding]:
    """One finding per track of the source for being there, its bytes, its times and its labels."""
    findings: list[Finding] = []
    free = list(output.tracks)
    for track in source.tracks:
        match = _match(track, free)
        if match is None:
            findings.append(_missing(track, output))
            continue
        free.remove(match)
        findings += _compare(track, match, source, output, shift)
    findings += [lost("tracks", f"{t.name} is not in the source") for t in free]
    if len(source.tracks) == len(output.tracks):
        findings.append(kept("tracks", f"{len(source.tracks)} besides the video"))
    return findings


def _match(track: TrackFacts, free: list[TrackFacts]) -> TrackFacts | None:
    alike = [t for t in free if t.kind == track.kind]
    same_bytes = [t for t in alike if t.payload_md5 == track.payload_md5]
    same_codec = [t for t in alike if t.codec == track.codec]
    return next(iter([*same_bytes, *same_codec]), None)


def _missing(track: TrackFacts, output: FileFacts) -> Finding:
    if track.kind in UNHELD.get(output.info.container, frozenset()):
        return limited(track.name, "left out: this container has no place for it")
    return lost(track.name, "is not there")


def _compare(
    before: TrackFacts, after: TrackFacts, source: FileFacts, output: FileFacts, shift: Fraction
) -> list[Finding]:
    findings = [_payload(before, after, source, output)]
    if before.kind not in ("cover", "attachment"):
        findings.append(_times(before, after, shift))
    findings += _labels(before, after, output)
    return findings


def _payload(
    before: TrackFacts, after: TrackFacts, source: FileFacts, output: FileFacts
) -> Finding:
    if before.payload_md5 == after.payload_md5:
        return kept(before.name, f"{before.packets} packets byte for byte")
    wrapped = source.info.is_mpegts != output.info.is_mpegts and before.codec in PACKAGED_ANEW
    if wrapped and before.packets == after.packets and before.codec == after.codec:
        return kept(before.name, f"{before.packets} packets, in MPEG-TS's other packaging")
    return lost(
        before.name, f"other bytes ({after.packets} packets; the source's {before.packets})"
    )


def _times(before: TrackFacts, after: TrackFacts, shift: Fraction) -> Finding:
    topic = f"{before.name} times"
    if before.timing is not None or after.timing is not None:
        if before.timing == after.timing:
            return kept(topic, "durations and edits the same")
        return lost(topic, "other durations or edits")
    pairs = [(before.first_s, after.first_s)]
    if before.packets == after.packets:  # sound without coding is cut into other packets
        pairs.append((before.last_s, after.last_s))
    errors = [abs(b - a - shift) for a, b in pairs if a is not None and b is not None]
    worst = max(errors, default=Fraction(0))
    if worst <= ONE_US:
        return kept(topic, "the same to a microsecond")
    words = f"{float(worst) * 1000:.3f} ms off"
    if worst < after.tick_s and after.tick_s > before.tick_s:
        return limited(topic, f"{words}: rounded to the container's clock of {after.tick_s} s")
    return lost(topic, words)


def _labels(before: TrackFacts, after: TrackFacts, output: FileFacts) -> list[Finding]:
    findings: list[Finding] = []
    container = output.info.container
    if before.language != after.language and before.language is not None:
        words = f"{after.language or 'none'}; the source's {before.language}"
        verdict = limited if container in NO_LANGUAGES else lost
        findings.append(verdict(f"{before.name} language", words))
    had, has = (d.disposition & ~DEFAULT_DISPOSITION for d in (before, after))
    if had & ~has and before.kind not in ("cover", "metadata", "data"):
        verdict = limited if container in NO_DISPOSITIONS or _is_mp4(container) else lost
        findings.append(verdict(f"{before.name} disposition", f"{after.disposition}; the source's "
                                f"{before.disposition}"))  # fmt: skip
    gone = _lost_tags(before, after)
    if gone:
        findings.append(limited(f"{before.name} tags", f"without {', '.join(gone)}"))
    return findings


def _is_mp4(container: str) -> bool:
    return container.startswith("mov,mp4")


def _lost_tags(before: TrackFacts, after: TrackFacts) -> list[str]:
    had, has = compared_tags(before.tags), compared_tags(after.tags)
    held = set(has.values())
    return sorted(
        key for key, value in had.items()
        if value and has.get(key) != value and not (key in HANDLER_TAGS and value in held)
    )  # fmt: skip
