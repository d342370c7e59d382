"""A display clip as a camera would have coded it: in log, PQ or HLG, ten bits, in its primaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import Inspection
from pipeline.media.views.gamuts import to_709
from pipeline.media.views.logs import LOGS, to_signal

TAGS = {"pq": (9, 16), "hlg": (9, 18)}


def scene_light(picture: NDArray[Any]) -> NDArray[Any]:
    """8-bit BT.709 pictures → light by ITU-R BT.709's camera curve, white at 1."""
    code = np.arange(256) / 255
    return np.where(code < 0.081, code / 4.5, ((code + 0.099) / 1.099) ** (1 / 0.45))[picture]


def code_values(picture: NDArray[Any], name: str) -> NDArray[Any]:
    """8-bit BT.709 R'G'B' → R'G'B' of 0…1 in another coding."""
    light = scene_light(picture)
    if name in LOGS:
        log = LOGS[name]
        light = np.maximum(light @ np.linalg.inv(to_709(log.gamut)).T, 0.0)
        return to_signal(log.code(0.9 * light), log, full_range=False)
    light = np.maximum(light @ np.linalg.inv(to_709("bt2020")).T, 0.0)
    if name == "pq":
        power = (light**1.2 * 203 / 10000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    scene = light * 0.26496256
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


def recode(seen: Inspection, frames: range, path: Path, name: str) -> Path:
    """Frames of a clip, coded anew; "709": as they were, through the same encoder."""
    info = seen.info
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = info.width, info.height, "yuv420p10le"
        stream.options = {"preset": "ultrafast", "crf": "8", "threads": "1"}
        context = stream.codec_context
        context.colorspace, context.color_range = 1, 1
        context.color_primaries, context.color_trc = TAGS.get(name, (2, 2))
        decoded = decode_range(info.path, info, seen.index, frames.start, frames.stop - 1)
        for number, frame in enumerate(decoded, frames.start):
            if number not in frames:
                continue
            picture = frame.to_ndarray(format="rgb24")
            code = picture / 255 if name == "709" else code_values(picture, name)
            levels = np.rint(code.clip(0, 1) * 65535).astype(np.uint16)
            made = av.VideoFrame.from_ndarray(levels, "rgb48le").reformat(
                format="yuv420p10le", dst_colorspace=1, dst_color_range=1
            )
            out.mux(stream.encode(made))
        out.mux(stream.encode(None))
    return path
