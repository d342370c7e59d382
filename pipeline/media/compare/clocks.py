"""Frames and their times."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from pipeline.media.compare.facts import FileFacts
from pipeline.media.compare.findings import Finding, kept, limited, lost, note

FIXED_CLOCKS = {"matroska,webm": "Matroska counts in milliseconds", "avi": "AVI counts in frames",
                "mpegts": "MPEG-TS counts in 1/90000 s"}  # fmt: skip
ONE_US = Fraction(1, 1_000_000)


def times_of(facts: FileFacts) -> Iterator[Fraction]:
    """Exact seconds of every frame, on the file's own clock; there may be hours of them."""
    return (int(pts) * facts.info.time_base for pts in facts.index.pts)


def compare_times(source: FileFacts, output: FileFacts) -> tuple[Fraction, list[Finding]]:
    """By how much all times of the output were moved, and what is to say of them."""
    before, after = len(source.index), len(output.index)
    if before != after:
        return Fraction(0), [lost("frames", f"{after} frames; the source has {before}")]
    shift = _shift(source, output)
    findings = [kept("frames", f"{before} frames")]
    findings.append(_pts(source, output, shift))
    findings.append(_last_duration(source, output))
    findings.append(_time_base(source, output))
    if source.index.cut:
        from_s = float(int(source.index.pts[0]) * source.info.time_base)
        findings.append(kept("part", f"from {from_s:.3f} s, which became its beginning"))
    elif shift:
        findings.append(
            kept("clock", f"MPEG-TS's clock of {-float(shift):.3f} s became 0, for all tracks")
        )
    return shift, findings


def _shift(source: FileFacts, output: FileFacts) -> Fraction:
    """MPEG-TS begins anywhere; elsewhere such a beginning would be an empty stretch. A part begins
    where its clip does."""
    base = source.info.time_base
    moved_s = source.index.moved * base
    if not source.info.is_mpegts or output.info.is_mpegts:
        return moved_s
    return moved_s - Fraction(round(Fraction(source.info.clock_start_s) / base)) * base


def _pts(source: FileFacts, output: FileFacts, shift: Fraction) -> Finding:
    if _are_equal(source, output, shift):
        return kept("frame times", f"all {len(source.index)} times exact")
    errors = (b - a - shift for a, b in zip(times_of(source), times_of(output), strict=True))
    number, worst = max(enumerate(errors), key=lambda each: abs(each[1]))
    if not worst:
        return kept("frame times", f"all {len(source.index)} times exact")
    by = f"frame {number} is {float(abs(worst)) * 1000:.3f} ms off"
    if abs(worst) < output.info.time_base and output.info.container in FIXED_CLOCKS:
        reason = FIXED_CLOCKS[output.info.container]
        return limited("frame times", f"rounded ({reason}): at most {by[by.index(' is ') + 4 :]}")
    return lost("frame times", by)


def _are_equal(source: FileFacts, output: FileFacts, shift: Fraction) -> bool:
    """Whether all ticks of one clock are the same: of hours of frames much sooner known."""
    base = source.info.time_base
    if base != output.info.time_base or (shift / base).denominator != 1:
        return False
    return bool((output.index.pts - source.index.pts == int(shift / base)).all())


def _last_duration(source: FileFacts, output: FileFacts) -> Finding:
    lengths = [int(f.index.duration[-1]) * f.info.time_base for f in (source, output)]
    if not lengths[0]:
        return kept("last duration", "the source declares none")
    if lengths[0] == lengths[1]:
        return kept("last duration", f"{float(lengths[0]) * 1000:.3f} ms")
    words = f"{float(lengths[1]) * 1000:.3f} ms; the source's {float(lengths[0]) * 1000:.3f} ms"
    if abs(lengths[0] - lengths[1]) < max(source.info.time_base, output.info.time_base):
        return kept("last duration", f"{words} (rounded to a tick)")
    if output.info.is_mpegts or (output.info.container in FIXED_CLOCKS and not lengths[1]):
        return note("last duration", "the container declares none")
    return lost("last duration", words)


def _time_base(source: FileFacts, output: FileFacts) -> Finding:
    before, after = source.info.time_base, output.info.time_base
    if before == after:
        return kept("time base", f"{after} s")
    words = f"{after} s; the source's {before} s"
    if output.info.container in FIXED_CLOCKS:
        return note("time base", f"{words} ({FIXED_CLOCKS[output.info.container]})")
    if (before / after).denominator == 1 and source.info.container != output.info.container:
        return kept("time base", f"{words}: a finer clock, no time lost")
    return lost("time base", words)
