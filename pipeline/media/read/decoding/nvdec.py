"""NVDEC, the decoder beside the cores of NVIDIA GPUs, where it is proved to give the same samples.

H.264, HEVC, AV1 and VP9 are decoded to the bit by their standards; MPEG-2 and MPEG-4 leave their
transform's rounding open, so the CPU reads them. Nothing is taken on trust even so: whoever opens a
file has its first frames decoded by both, and any sample that differs sends the file to the CPU;
so does whatever goes wrong later. Damage in a picture may go unnoticed here: it is for measuring,
and what is written is decoded by the CPU.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.codec.hwaccel import HWAccel, hwdevices_available

from pipeline.errors import MediaError
from pipeline.media.info import VideoInfo
from pipeline.media.opening import open_video, ready_decoder
from pipeline.media.planes import VideoFrame, all_plane_views

DEVICE = "cuda"
EXACT_CODECS = ("h264", "hevc", "av1", "vp9")
FORMATS = ("yuv420p", "yuv420p10le")
"""What comes back as it was from the GPU's own layouts, nv12 and p010."""
PROVED_FRAMES = 8
PROBE_SIDE, PROBE_RATE = 256, 25


def gpu_decoder() -> HWAccel:
    """What `av.open` takes to decode there; a stream that it cannot decode is an error."""
    return HWAccel(DEVICE, allow_software_fallback=False)


def as_decoded_here(frame: VideoFrame, pix_fmt: str) -> VideoFrame:
    """A frame that came from the GPU in the layout that the CPU's decoder gives; exact."""
    if frame.format.name == pix_fmt:
        return frame
    shown = frame.reformat(format=pix_fmt, threads=1)
    shown.pts, shown.time_base, shown.duration = frame.pts, frame.time_base, frame.duration
    return shown


_given_up: dict[str, str] = {}
"""Files that this process began to read there and went on with here, and why."""


def give_up(path: str, error: MediaError) -> None:
    """From now on this process reads a file by the CPU."""
    _given_up[path] = f"NVDEC gave up: {error}"


def why_not_nvdec(path: str, info: VideoInfo) -> str | None:
    """Why a file is not read by NVDEC here; None where it is, its first frames compared."""
    if path in _given_up:
        return _given_up[path]
    if info.codec not in EXACT_CODECS:
        return f"{info.codec} is not decoded to the same bits everywhere"
    if info.pix_fmt not in FORMATS:
        return f"{info.pix_fmt} is none of {', '.join(FORMATS)}"
    if info.interlaced:
        return "its frames hold fields"
    if DEVICE not in hwdevices_available():
        return "this FFmpeg is built without CUDA"
    status = Path(path).stat()
    return _difference(path, info.stream_index, info.pix_fmt, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _difference(path: str, stream_index: int, pix_fmt: str, *_state: int) -> str | None:
    """How the first frames differ, or why there are none; `_state` names the file's content."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)  # else FFmpeg keeps its reason to itself
    logged: list[tuple[int, str, str]] = []
    try:
        with av.logging.Capture() as logged:
            there = list(islice(_first_frames(path, stream_index, gpu_decoder()), PROVED_FRAMES))
    except (av.FFmpegError, MediaError, OSError, NotImplementedError, RuntimeError) as error:
        said = next((text.strip() for _, _, text in logged), str(error))
        return f"NVDEC does not work here: {said}"
    finally:
        av.logging.set_level(level)
    here = list(islice(_first_frames(path, stream_index, None), PROVED_FRAMES))
    if not here or len(here) != len(there):
        return f"NVDEC gave {len(there)} of its first {len(here)} frames"
    for number, (ours, theirs) in enumerate(zip(here, there, strict=True)):
        if not _equal(ours, as_decoded_here(theirs, pix_fmt)):
            return f"NVDEC gave other samples in its frame {number}"
    return None


def _first_frames(path: str, stream_index: int, decoder: HWAccel | None) -> Iterator[VideoFrame]:
    with open_video(path, decoder) as container:
        stream = next(s for s in container.streams.video if s.index == stream_index)
        ready_decoder(stream, threads=1)
        yield from container.decode(stream)


def why_not_here() -> str | None:
    """Why this machine's NVDEC does not decode a small clip of H.264; None where it does."""
    with tempfile.TemporaryDirectory(prefix="aureel-") as folder:
        path = str(Path(folder) / "probe.mp4")
        _write_clip(path)
        return _difference(path, 0, "yuv420p")


def _write_clip(path: str) -> None:
    ramp = np.add.outer(np.arange(PROBE_SIDE), np.arange(PROBE_SIDE)) // 2
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=PROBE_RATE, options={"preset": "ultrafast"})
        stream.width = stream.height = PROBE_SIDE
        stream.pix_fmt = "yuv420p"
        for number in range(PROVED_FRAMES):
            level = np.roll(ramp, 3 * number, axis=1).astype(np.uint8)
            frame = VideoFrame.from_ndarray(np.stack([level] * 3, axis=2), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _equal(a: VideoFrame, b: VideoFrame) -> bool:
    if (a.pts, a.width, a.height, a.format.name) != (b.pts, b.width, b.height, b.format.name):
        return False
    pairs = zip(all_plane_views(a), all_plane_views(b), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in pairs)
