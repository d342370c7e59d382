"""What travels with a decoded frame besides its samples."""

from __future__ import annotations

from typing import cast

from av.sidedata.sidedata import SideData

from pipeline.media.bitstream.messages import X264, X265
from pipeline.media.planes import VideoFrame

COMPARED_KINDS = {
    "A53_CC": "closed captions",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "DOVI_RPU_BUFFER": "Dolby Vision metadata",
    "S12M_TIMECODE": "time code (per picture)",
    "AFD": "active format",
    "AMBIENT_VIEWING_ENVIRONMENT": "ambient light",
    "STEREO3D": "stereo packing",
    "SPHERICAL": "spherical mapping",
    "ICC_PROFILE": "colour profile",
}
"""Kinds of side data that footage is compared by, with their names for people."""


def side_data_of(frame: VideoFrame) -> dict[str, bytes]:
    """The bytes of each kind of side data, by FFmpeg's name; several of one kind joined."""
    try:
        items = cast("list[SideData]", list(frame.side_data))
    except ValueError:  # PyAV raises on a kind of side data that is newer than itself
        return {}
    found: dict[str, bytes] = {}
    for item in items:
        data = bytes(item)
        if item.type.name == "S12M_TIMECODE":
            data = data[: 4 + 4 * data[0]]  # a count, then as many; what follows is never set
        if data[:16] not in (X264, X265):
            found[item.type.name] = found.get(item.type.name, b"") + data
    return found
