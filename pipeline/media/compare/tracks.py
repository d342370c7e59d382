"""Every track besides the video: that it is there, what it holds, and when."""

from __future__ import annotations

from array import array
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pipeline.media.compare.facts import FileFacts
from pipeline.media.compare.findings import Finding, kept, limited, lost
from pipeline.media.compare.track_facts import TIMED, TrackFacts
from pipeline.media.read.tags import compared_tags

ONE_US, FLOAT_S = 1e-6, 1e-9
UNNOTICED_S = 0.045
"""By how much sound may come before its picture; source: ITU-R BT.1359, detectability."""
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
    findings += _labels(source.video, output.video, output, chosen=False)
    free = list(output.tracks)
    for track in source.tracks:
        match = _match(track, free)
        if match is None:
            findings.append(_missing(track, source, output))
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
    likely = same_bytes or [t for t in alike if t.codec == track.codec]
    return min(likely, key=lambda t: t.language != track.language, default=None)


def _missing(track: TrackFacts, source: FileFacts, output: FileFacts) -> Finding:
    if source.index.cut and track.timing is not None:
        return limited(track.name, "left out: of a part, only tracks that have packets are taken")
    if track.kind in UNHELD.get(output.info.container, frozenset()):
        return limited(track.name, "left out: this container has no place for it")
    return lost(track.name, "is not there")


def _compare(
    before: TrackFacts, after: TrackFacts, source: FileFacts, output: FileFacts, shift: Fraction
) -> list[Finding]:
    findings = [_payload(before, after, source, output)]
    if before.kind not in ("cover", "attachment"):
        findings += _times(before, after, shift, output.info.container)
    chosen = sum(t.kind == before.kind for t in source.tracks) > 1
    findings += _labels(before, after, output, chosen=chosen)
    return findings


def _payload(
    before: TrackFacts, after: TrackFacts, source: FileFacts, output: FileFacts
) -> Finding:
    if before.payload_md5 == after.payload_md5 or (before.words and before.words == after.words):
        return kept(before.name, f"{before.packets} packets byte for byte")
    wrapped = source.info.is_mpegts != output.info.is_mpegts and before.codec in PACKAGED_ANEW
    if wrapped and before.packets == after.packets and before.codec == after.codec:
        return kept(before.name, f"{before.packets} packets, in MPEG-TS's other packaging")
    return lost(
        before.name, f"other bytes ({after.packets} packets; the source's {before.packets})"
    )


def _times(before: TrackFacts, after: TrackFacts, shift: Fraction, container: str) -> list[Finding]:
    topic = f"{before.name} times"
    if before.timing is not None or after.timing is not None:
        if before.timing == after.timing:
            return [kept(topic, "durations and edits the same")]
        return [lost(topic, "other durations or edits")]
    if len(before.pts) != len(after.pts):  # sound without coding is cut into other packets
        first = [t.first_s for t in (before, after) if t.first_s is not None]
        errors = np.array([float(first[-1] - first[0] - shift)])
    else:
        starts = [_seconds(t, t.pts) for t in (before, after)]
        errors = starts[1] - starts[0] - float(shift)
    if container == "avi" and (early := _early_s(errors)):
        return [limited(topic, f"{early * 1000:.3f} ms early: in an AVI all tracks begin at 0")]
    findings = [_off(topic, _worst(errors), before, after)]
    if len(before.pts) != len(after.pts):
        return findings
    if before.kind in TIMED:
        lengths = [_seconds(t, t.durations) for t in (before, after)]
        told = (lengths[0] > 0) & (lengths[1] > 0)  # else the container ends it with the next
        findings.append(
            _off(f"{before.name} lengths", _worst((lengths[1] - lengths[0])[told]), before, after)
        )
    return findings


def _seconds(track: TrackFacts, of: array[int]) -> NDArray[np.float64]:
    """Of each packet, in the order of time: containers store packets in orders of their own."""
    order = np.argsort(np.array(track.pts, np.int64), kind="stable")
    ticks: NDArray[np.float64] = np.array(of, np.int64)[order].astype(np.float64)
    return ticks * float(track.tick_s)


def _early_s(errors: NDArray[np.float64]) -> float:
    """By how much a whole track is early, where nobody notices; else 0."""
    steady = len(errors) and np.ptp(errors) <= ONE_US + FLOAT_S
    early = -float(errors.mean()) if steady else 0.0
    return early if ONE_US + FLOAT_S < early < UNNOTICED_S else 0.0


def _worst(errors: NDArray[np.float64]) -> float:
    return float(np.abs(errors).max(initial=0))


def _off(topic: str, worst_s: float, before: TrackFacts, after: TrackFacts) -> Finding:
    if worst_s <= ONE_US + FLOAT_S:
        return kept(topic, "the same to a microsecond")
    words = f"{worst_s * 1000:.3f} ms off"
    if worst_s < after.tick_s and after.tick_s > before.tick_s:
        return limited(topic, f"{words}: rounded to the container's clock of {after.tick_s} s")
    return lost(topic, words)


def _labels(
    before: TrackFacts, after: TrackFacts, output: FileFacts, *, chosen: bool
) -> list[Finding]:
    """What the container says of a track.

    Args:
        chosen: it is one of several of its kind, of which a player takes the default one.
    """
    findings: list[Finding] = []
    container = output.info.container
    if before.language != after.language and before.language is not None:
        words = f"{after.language or 'none'}; the source's {before.language}"
        verdict = limited if container in NO_LANGUAGES else lost
        findings.append(verdict(f"{before.name} language", words))
    gone = before.disposition & ~after.disposition & (~0 if chosen else ~DEFAULT_DISPOSITION)
    new = after.disposition & ~before.disposition & ~DEFAULT_DISPOSITION  # muxers choose a default
    if (gone or new) and before.kind not in ("cover", "metadata", "data"):
        unheld = container in NO_DISPOSITIONS or (
            _is_mp4(container) and not gone & DEFAULT_DISPOSITION
        )
        verdict = limited if unheld and not new else lost
        words = f"{after.disposition}; the source's {before.disposition}"
        findings.append(verdict(f"{before.name} disposition", words))
    without = _lost_tags(before, after)
    if without:
        findings.append(limited(f"{before.name} tags", f"without {', '.join(without)}"))
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
