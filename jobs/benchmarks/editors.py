"""The editors that run on a CPU, side by side on the same crops; what a shot's library costs."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engines.choice import resolve
from engines.interface import FaceEditor
from keyframes.load import parse_sheet
from pipeline.demo.clip import make_demo_clip
from pipeline.edit.batcher import CropRequest, edit_crops
from pipeline.edit.lending.kept import read_library, write_library
from pipeline.edit.lending.making import borrowed
from pipeline.edit.plan import plan_edits
from pipeline.edit.render import crop_request
from pipeline.media.colour import crop_rgb
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import Inspection, inspect_video
from pipeline.quality.clip import measure

SECONDS = 15.0
SIDE = 512
FRAMES = 8
CURVE = (
    "version: 1\nchannels: {AU12: [[0s, 2]], AU25: [[0s, 3]], AU26: [[0s, 2]], AU43: [[0s, 3]]}\n"
)
"""A smile, an open mouth and half-shut eyes: all that an editor may have to draw at once."""


def measure_editors(source: Path | None, rounds: int) -> dict[str, Any]:
    """CPU ms per frame of previz and plate at 512² and 1024², in turn, on one core; medians."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        clip = source or make_demo_clip(Path(folder) / "clip.mp4", seconds=SECONDS)
        inspection = inspect_video(str(clip))
        analysis = measure(
            inspection, *(resolve(kind).make() for kind in ("tracker", "AU estimator"))
        )
        plan = plan_edits(inspection, analysis, parse_sheet(CURVE, "benchmark"), SIDE).plan
        path = Path(folder) / "library.npz"
        begun = time.process_time()
        lent, made = borrowed(plan, analysis, inspection, SIDE)
        write_library(path, made)
        library_s = time.process_time() - begun
        library = read_library(path)
        rows = np.linspace(0, len(lent) - 1, FRAMES).astype(int).tolist()
        requests = [
            crop_request(
                lent,
                row,
                _crop(inspection, lent.coded_from_crop[row], int(lent.frame[row])),
                library,
            )
            for row in rows
        ]
    found = {f"{SIDE}": requests, f"{2 * SIDE}": [_doubled(request) for request in requests]}
    editors = {name: resolve("editor", name).make() for name in ("previz", "plate")}
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for side, crops in found.items():
            for name, editor in editors.items():
                seconds.setdefault(f"{name} {side}", []).append(_ms(editor, crops))
    ms = {what: round(statistics.median(times), 1) for what, times in seconds.items()}
    return {
        "clip_seconds": round(inspection.timeline.duration_s, 1),
        "mouths_lent": int((lent.lent > 0).sum()),
        "library_cpu_s": round(library_s, 2),
        "ms_per_frame": ms,
        "plate_to_previz": round(ms[f"plate {SIDE}"] / ms[f"previz {SIDE}"], 2),
        "plate_by_area": round(ms[f"plate {2 * SIDE}"] / ms[f"plate {SIDE}"] / 4, 2),
    }


def _crop(inspection: Inspection, coded_from_crop: Any, number: int) -> Any:
    frames = decode_range(inspection.info.path, inspection.info, inspection.index, number, number)
    return crop_rgb(next(iter(frames)), inspection.info, coded_from_crop, SIDE, "replicate")


def _doubled(request: CropRequest) -> CropRequest:
    """The same face in a crop of twice the side."""
    image = cv2.resize(request.image, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_CUBIC)
    lent, mouth = request.lent, request.lent.mouth
    if mouth is not None:
        mouth = replace(mouth, crop_from_patch=2.0 * mouth.crop_from_patch + [[0, 0, 0.5]])
        lent = replace(lent, mouth=mouth)
    return replace(
        request, image=image, landmarks_px=2 * request.landmarks_px + np.float32(0.5), lent=lent
    )


def _ms(editor: FaceEditor, requests: list[CropRequest]) -> float:
    begun = time.thread_time()
    for request in requests:
        edit_crops(editor, [request], 0)
    return (time.thread_time() - begun) / len(requests) * 1000
