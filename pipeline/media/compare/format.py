"""What a picture is: its size, shape, samples, colours, fields and light."""

from __future__ import annotations

from typing import Any

from pipeline.media.compare.facts import FileFacts
from pipeline.media.compare.findings import Finding, Verdict, kept, limited, lost, note
from pipeline.media.info import VideoInfo

FIELD_ORDERS = {0: "unknown", 1: "progressive", 2: "top field first", 3: "bottom field first",
                4: "top coded, bottom shown first", 5: "bottom coded, top shown first"}  # fmt: skip
NO_STATIC_HDR = {"vp8", "prores", "dnxhd", "mjpeg", "ffv1", "mpeg2video", "mpeg4", "qtrle", "png"}
"""Codecs whose pictures have no place for it; a container may."""
UNTOLD_PLACES = {"unspecified"}
DEFAULT_PLACE = "left"


def compare_format(source: FileFacts, output: FileFacts) -> list[Finding]:
    """One finding per property."""
    before, after = source.info, output.info
    findings = [_codec(before, after)]
    findings += [
        _same(topic, old, value)
        for (topic, old), value in zip(_look(before).items(), _look(after).values(), strict=True)
    ]
    findings += _mastering(before, after)
    findings += [_chroma_place(before, after), _fields(before, after)]
    return [f for f in findings if f is not None]


def _look(info: VideoInfo) -> dict[str, Any]:
    colour = info.colour
    return {
        "size": f"{info.width}x{info.height}",
        "sample aspect": str(info.sar),
        "rotation": f"{info.rotation}°{', mirrored' if info.mirrored else ''}",
        "pixel format": info.pix_fmt.replace("yuvj", "yuv"),
        "bit depth": info.bit_depth,
        "range": "full" if colour.full_range else "limited",
        "matrix": colour.tagged_matrix,
        "transfer": colour.transfer,
        "primaries": colour.primaries,
        "alpha": "in side data" if info.hides_alpha else _has_alpha(info),
    }


def _has_alpha(info: VideoInfo) -> str:
    name = info.pix_fmt
    return "yes" if name.startswith(("yuva", "gbrap", "ya")) or "a" in _letters(name) else "none"


def _letters(pix_fmt: str) -> str:
    return pix_fmt[:4] if pix_fmt[:4] in ("rgba", "bgra", "argb", "abgr") else ""


def _same(topic: str, before: Any, after: Any) -> Finding:
    if before == after:
        return kept(topic, str(after))
    return lost(topic, f"{after}; the source's {before}")


def _codec(before: VideoInfo, after: VideoInfo) -> Finding:
    old, new = (f"{i.codec} {i.profile or ''}".strip() for i in (before, after))
    return kept("codec", new) if old == new else note("codec", f"{new}; the source's {old}")


def _mastering(before: VideoInfo, after: VideoInfo) -> list[Finding]:
    findings: list[Finding] = []
    for name, old, new in zip(
        ("mastering display", "light level"), before.hdr, after.hdr, strict=True
    ):
        if old is None:
            continue
        if old == new:
            findings.append(kept(name, "the same values"))
        elif new is None and after.codec in NO_STATIC_HDR:
            findings.append(limited(name, f"{after.codec} has no place for it"))
        else:
            findings.append(lost(name, "gone" if new is None else "other values"))
    return findings


def _chroma_place(before: VideoInfo, after: VideoInfo) -> Finding | None:
    if "420" not in before.pix_fmt and "422" not in before.pix_fmt:
        return None
    old, new = before.chroma_place, after.chroma_place
    if old == new:
        return kept("chroma place", new)
    if {old, new} <= {*UNTOLD_PLACES, DEFAULT_PLACE}:
        return kept("chroma place", f"{new}; the source's {old} (the default)")
    if old in UNTOLD_PLACES:
        return note("chroma place", f"{new}; the source says none")
    if new in UNTOLD_PLACES and after.codec not in ("h264", "hevc", "av1"):
        return limited("chroma place", f"{after.codec} cannot say {old}")
    return lost("chroma place", f"{new}; the source's {old}")


def _fields(before: VideoInfo, after: VideoInfo) -> Finding:
    old, new = (FIELD_ORDERS.get(i.field_order, "unknown") for i in (before, after))
    if old == new or not (before.interlaced or after.interlaced):
        return kept("field order", new)
    return lost("field order", f"{new}; the source's {old}")


__all__ = ["Verdict", "compare_format"]
