"""Small footage made on the spot, with what makes real files awkward."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.media.write.encoding.scheduling import scheduling_kept


@dataclass(frozen=True)
class Clip:
    """What to make. `pts` in `time_base` units; `sound` adds an AAC track of the same length."""

    name: str = "clip.mp4"
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (160, 120)
    pts: Sequence[int] = tuple(range(0, 30 * 512, 512))
    time_base: Fraction = Fraction(1, 12800)
    gop: int = 10
    options: dict[str, str] = field(default_factory=lambda: {"preset": "ultrafast", "bf": "2"})
    colour: tuple[int, int, int, int] = (1, 1, 1, 1)  # primaries, transfer, matrix, range
    rotation: int | None = None
    hflip: bool = False
    sar: Fraction | None = None
    sound: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    fields: str | None = None  # tff or bff
    alpha: bool = False  # a ramp in the last plane


def picture(number: int, size: tuple[int, int]) -> np.ndarray:
    """`(H, W, 3)` uint8: a smooth ramp with a moving disc, no symmetry, every colour."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.stack([x * 255 / width, y * 255 / height, (x + y + 5 * number) % 256], axis=-1)
    disc = (x - width / 4 - 2 * number) ** 2 + (y - height / 3) ** 2 < (height / 6) ** 2
    ramp[disc] = (230, 60, 40)
    return ramp.astype(np.uint8)


def make_clip(folder: Path, clip: Clip) -> Path:
    path = folder / clip.name
    with av.open(str(path), "w", options=clip.container_options) as container:
        container.metadata.update(clip.metadata)
        video = container.add_stream(clip.codec, rate=25, options=clip.options)
        video.width, video.height = clip.size
        video.pix_fmt = clip.pix_fmt
        video.gop_size = clip.gop
        video.time_base = video.codec_context.time_base = clip.time_base
        context = video.codec_context
        if clip.codec == "libvpx":
            context.thread_count = 1  # a second one spins: on busy cores for hours
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = (
            clip.colour
        )
        if clip.sar is not None:
            context.sample_aspect_ratio = clip.sar
        if clip.rotation is not None:
            video.set_display_rotation(clip.rotation, hflip=clip.hflip)
        sound = container.add_stream(clip.sound, rate=48000) if clip.sound else None
        if clip.fields:
            context.field_order = 2 if clip.fields == "tff" else 3
        shown = _in_fields(_frames(clip), clip) if clip.fields else _frames(clip)
        with scheduling_kept():  # SVT-AV1's would starve every other test
            packets = [packet for frame in shown for packet in video.encode(frame)]
        packets += video.encode(None)
        if sound is not None:
            packets += _tone(sound, float((clip.pts[-1] - clip.pts[0]) * clip.time_base))
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


def _frames(clip: Clip) -> Any:
    primaries, transfer, matrix, full = clip.colour
    for number, pts in enumerate(clip.pts):
        frame = av.VideoFrame.from_ndarray(picture(number, clip.size), format="rgb24").reformat(
            format=clip.pix_fmt,
            dst_colorspace=matrix if matrix not in (0, 2) else 5,
            dst_color_range=full or 1,
        )
        frame.colorspace, frame.color_range = matrix, full
        frame.color_primaries, frame.color_trc = primaries, transfer
        if clip.alpha:
            plane = frame.planes[-1]
            rows = np.frombuffer(plane, np.uint16).reshape(plane.height, -1).copy()
            rows[:] = (np.arange(rows.shape[1]) * 7 + 13 * number) % 1024
            plane.update(rows.tobytes())
        frame.pts, frame.time_base = pts, clip.time_base
        yield frame


def _in_fields(frames: Any, clip: Clip) -> Any:
    """The frames, said to hold fields."""
    graph = av.filter.Graph()
    width, height = clip.size
    kind = av.VideoFormat(clip.pix_fmt, width, height)
    source = graph.add_buffer(width=width, height=height, format=kind, time_base=clip.time_base)
    setter, sink = graph.add("setfield", clip.fields), graph.add("buffersink")
    graph.link_nodes(source, setter, sink)
    graph.configure()
    for frame in frames:
        source.push(frame)
        yield sink.pull()


def _tone(sound: Any, length_s: float) -> list[Any]:
    count = int(length_s * 48000) // 1024 * 1024 + 1024
    wave = np.sin(np.arange(count) * 2 * np.pi * 440 / 48000).astype(np.float32) * 0.2
    packets = []
    for at in range(0, count, 1024):
        chunk = np.stack([wave[at : at + 1024]] * 2)
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
        packets += sound.encode(frame)
    return packets + sound.encode(None)


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """`footage(name=…, pts=…)` → path of a clip made once per distinct description."""
    made: dict[str, str] = {}

    def make(**description: Any) -> str:
        clip = Clip(**description)
        if repr(clip) not in made:
            made[repr(clip)] = str(make_clip(tmp_path_factory.mktemp("footage"), clip))
        return made[repr(clip)]

    return make


@pytest.fixture(scope="session")
def corpus(shared: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of odd and broken files and what is true of each."""
    folder = shared / "media" / "corpus"
    return folder, json.loads((folder / "manifest.json").read_text())


@pytest.fixture
def on_small_disk() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`on_small_disk(code, limit, *arguments)` runs a program as on a disk that is full at `limit`
    bytes: no file it writes can grow beyond."""

    def limited_to(limit: int) -> Callable[[], None]:
        def limited() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        return limited

    def run(code: str, limit: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-B", "-c", code, *arguments],
            cwd=Path(__file__).resolve().parents[3], preexec_fn=limited_to(limit),
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    return run
