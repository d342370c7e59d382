"""H.264 and HEVC in AVI: no times, start codes instead of lengths, parameters before key frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.media.bitstream.units import UnitFormat, parameter_units, unit_format


def into_avi(
    codec: str, extradata: bytes | None
) -> Callable[[Packet[VideoStream]], Packet[VideoStream]]:
    """What makes a piece's packet one that AVI holds; other codecs' packets stay as they are.

    Args:
        extradata: the piece's parameter sets.
    """
    form = unit_format(codec, extradata)
    if form is None or not form.length_bytes:
        return lambda packet: packet
    plain, parameters = UnitFormat(codec, 0), parameter_units(codec, extradata)

    def convert(packet: Packet[VideoStream]) -> Packet[VideoStream]:
        units = form.split(bytes(packet))
        before = parameters if packet.is_keyframe else []
        changed = cast("Packet[VideoStream]", Packet(plain.join([*before, *units])))
        changed.pts, changed.dts, changed.duration = packet.pts, packet.dts, packet.duration
        changed.time_base, changed.is_keyframe = packet.time_base, packet.is_keyframe
        return changed

    return convert
