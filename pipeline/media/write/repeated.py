"""Long footage out of a short clip, for measuring: its packets again and again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.files import published

CODECS = {"h264": ("libx264", "yuv420p", {"g": "25", "crf": "20", "preset": "veryfast"})}
CODECS["prores"] = ("prores_ks", "yuv422p10le", {"profile": "0"})
SUFFIXES = {"h264": ".mp4", "prores": ".mov"}


def with_a_cut(source: Path, path: Path, codec: str) -> Path:
    """A clip with its second half mirrored: two shots, in closed groups of a second; and its sound.

    Args:
        codec: of CODECS.
    """
    name, form, options = CODECS[codec]
    with (
        published(path) as part,
        av.open(str(source)) as read,
        av.open(str(source)) as heard,
        av.open(str(part), "w", format=SUFFIXES[codec][1:]) as target,
    ):
        pictures, sound = read.streams.video[0], heard.streams.audio[0]
        rate = pictures.average_rate or Fraction(25)
        made = target.add_stream(name, rate=rate, options=options)
        assert isinstance(made, VideoStream)
        made.width, made.height, made.pix_fmt = pictures.width, pictures.height, form
        kept = target.add_stream_from_template(sound)
        for number, frame in enumerate(read.decode(pictures)):
            rgb = np.array(frame.to_ndarray(format="rgb24"), np.uint8)
            shown = rgb if number < pictures.frames // 2 else np.ascontiguousarray(rgb[:, ::-1])
            again = av.VideoFrame.from_ndarray(shown, format="rgb24")
            again.pts, again.time_base = number, 1 / rate
            target.mux(made.encode(again))
        target.mux(made.encode(None))
        for packet in heard.demux(sound):
            if packet.size and (packet.pts or 0) >= 0:
                packet.stream = kept
                target.mux(packet)
    return path


def repeat_packets(source: Path, path: Path, times: int) -> Path:
    """A clip of closed groups so many times in a row; no sample is decoded or changed."""
    with published(path) as part, av.open(str(source)) as read:
        streams = read.streams.video[0], read.streams.audio[0]
        base = streams[0].time_base or Fraction(1)
        packets = [p for p in read.demux(*streams) if p.size and (p.pts or 0) >= 0]
        ends = [(p.pts or 0) + (p.duration or 0) for p in packets if p.stream is streams[0]]
        length_s = max(ends) * base
        whole = [p for p in packets if _end_s(p) <= length_s]
        with av.open(str(part), "w", format=path.suffix[1:]) as target:
            made = {s.index: target.add_stream_from_template(s) for s in streams}
            for turn in range(times):
                for packet in whole:
                    shift = round(turn * length_s / packet.time_base)
                    again: Packet[Any] = Packet(bytes(packet))
                    again.pts, again.dts = (packet.pts or 0) + shift, (packet.dts or 0) + shift
                    again.duration, again.time_base = packet.duration, packet.time_base
                    again.is_keyframe, again.stream = packet.is_keyframe, made[packet.stream.index]
                    target.mux(again)
    return path


def _end_s(packet: Packet[Any]) -> Fraction:
    return ((packet.pts or 0) + (packet.duration or 0)) * packet.time_base
