"""H.264 and HEVC in AVI: no times, start codes instead of lengths, parameters before key frames."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import cast

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.media.bitstream.units import UnitFormat, parameter_units, unit_format
from pipeline.media.info import VideoInfo
from pipeline.media.read.frame_index import FrameIndex


def avi_tick(info: VideoInfo, index: FrameIndex) -> Fraction | None:
    """Seconds from frame to frame, the clock of an AVI, which counts frames from 0.

    Returns:
        None for a clip that begins later or is not shown at one rate, to a tick of its own clock.
    """
    if info.container == "avi":
        return info.time_base
    steps = np.diff(index.pts)
    even = (
        len(steps) and (steps == steps[0]).all()
    )  # the rate it tells counts the last one's length
    tick = int(steps[0]) * info.time_base if even else 1 / info.frame_rate
    start = round(info.clock_start_s / info.time_base) if info.is_mpegts else 0
    shown = (index.pts - start) * float(info.time_base)
    off = np.abs(shown - np.arange(len(index)) * float(tick)).max()
    return tick if off <= info.time_base else None


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
