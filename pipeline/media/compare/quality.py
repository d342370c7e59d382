"""What the pictures' figures mean: which losses are none, and which must be said.

A lossless source stays exact. A master (intra-only, or rich in bits) keeps 50 dB or its own rate;
other footage keeps 40 dB on average, which nobody sees. Frames in which an area stands out were
edited; they are judged outside that area.
"""

from __future__ import annotations

import math
from typing import Any

from pipeline.media.compare.extras import CARRIES_MESSAGES
from pipeline.media.compare.facts import FileFacts
from pipeline.media.compare.findings import Finding, kept, limited, lost, note
from pipeline.media.compare.pictures import PictureFigures
from pipeline.media.read.density import is_master

MASTER_DB, USUAL_DB, WORST_BELOW_DB = 50.0, 40.0, 8.0
OWN_RATE = 0.9
MOST_SHIFT = 0.5
"""Of an 8-bit code value: what a plane's mean may move."""
NO_SIDE_DATA = {"vp8", "vp9", "prores", "dnxhd", "mjpeg", "ffv1", "mpeg4", "qtrle", "png",
                "utvideo", "huffyuv", "ffvhuff", "rawvideo", "v210"}  # fmt: skip


def compare_quality(
    source: FileFacts, output: FileFacts, pictures: PictureFigures
) -> list[Finding]:
    """Findings about exactness, losses, drift, fields, alpha and what frames carry."""
    findings = [_exactness(source, output, pictures)]
    if pictures.edited:
        findings.append(note("edited frames", _runs(pictures.edited)))
    findings += _drift(source, pictures)
    if source.info.interlaced or output.info.interlaced or pictures.field_order_differs:
        findings.append(_fields(pictures))
    if source.info.hides_alpha or not pictures.alpha_exact:
        findings.append(lost("alpha samples", "changed or gone"))
    findings += _side_data(source, output, pictures)
    findings.append(note("size", _ratio(source, output)))
    return findings


def _exactness(source: FileFacts, output: FileFacts, pictures: PictureFigures) -> Finding:
    untouched = pictures.frames - len(pictures.edited)
    if pictures.exact == untouched and pictures.exact_outside == len(pictures.edited):
        outside = ", edited ones outside the edit" if pictures.edited else ""
        return kept("pictures", f"{pictures.exact} of {pictures.frames} bit for bit{outside}")
    words = f"{_psnr_words(pictures)}; {pictures.exact} of {pictures.frames} bit for bit"
    if source.info.is_lossless:
        return lost("pictures", f"the source is lossless, this is not: {words}")
    master = is_master(source.info, source.index)
    floor = MASTER_DB if master else USUAL_DB
    mean = min(pictures.mean_psnr(p) for p in range(pictures.planes))
    worst = min(pictures.worst_psnr(p) for p in range(pictures.planes))
    own_rate = output.video_bytes >= OWN_RATE * source.video_bytes
    if (mean >= floor and worst >= floor - WORST_BELOW_DB) or own_rate:
        return kept("pictures", f"{words}{', at the source’s own rate' if mean < floor else ''}")
    what = "a master lost quality" if master else "quality was lowered"
    return lost("pictures", f"{what}: {words}; {_ratio(source, output)}")


def _psnr_words(pictures: PictureFigures) -> str:
    planes = [
        f"{_db(pictures.mean_psnr(p))} (worst {_db(pictures.worst_psnr(p))})"
        for p in range(pictures.planes)
    ]
    return f"PSNR by plane {', '.join(planes)} dB"


def _db(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:.1f}"


def _drift(source: FileFacts, pictures: PictureFigures) -> list[Finding]:
    scale = 2.0 ** (source.info.bit_depth - 8)
    shifts = [pictures.mean_shift(p) / scale for p in range(pictures.planes)]
    worst = max(shifts, key=abs, default=0.0)
    if abs(worst) <= MOST_SHIFT:
        return []
    return [lost("brightness", f"a plane moved by {worst:+.2f} of 255 on average")]


def _fields(pictures: PictureFigures) -> Finding:
    if pictures.field_order_differs:
        return lost("fields", f"{pictures.field_order_differs} frames with another order")
    return kept("fields", f"{pictures.frames} frames each in the source's order")


def _side_data(source: FileFacts, output: FileFacts, pictures: PictureFigures) -> list[Finding]:
    findings: list[Finding] = []
    for name, count in pictures.side_data_differs.items():
        if name in source.messages and output.info.codec in CARRIES_MESSAGES:
            continue  # counted packet by packet, whatever the decoder makes of it
        verdict = limited if output.info.codec in NO_SIDE_DATA else lost
        findings.append(verdict(name, f"differs in {count} of {pictures.frames} frames looked at"))
    return findings


def _ratio(source: FileFacts, output: FileFacts) -> str:
    ratio = output.video_bytes / max(1, source.video_bytes)
    return f"{ratio:.0%} of the source's bytes for pictures"


def _runs(numbers: list[int]) -> str:
    """`3–7, 12` of rising numbers, the first ten runs."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = ", ".join(f"{a}–{b}" if a != b else str(a) for a, b in runs[:10])
    return f"{len(numbers)} frames: {shown}{' …' if len(runs) > 10 else ''}"


def figures_of(pictures: PictureFigures) -> dict[str, Any]:
    """The figures for programs; None where a plane is exact."""

    def finite(value: float) -> float | None:
        return None if math.isinf(value) else round(value, 2)

    planes = range(pictures.planes)
    return {
        "compared_frames": pictures.frames,
        "exact_frames": pictures.exact,
        "edited_frames": pictures.edited,
        "edited_frames_exact_outside": pictures.exact_outside,
        "psnr_mean_db": [finite(pictures.mean_psnr(p)) for p in planes],
        "psnr_worst_db": [finite(pictures.worst_psnr(p)) for p in planes],
        "mean_shift": [round(pictures.mean_shift(p), 4) for p in planes],
    }
