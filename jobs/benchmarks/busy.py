"""How busy MagicFace's editor keeps a GPU, which is pretended to take an H100's time."""

from __future__ import annotations

import os
import time
from typing import Any

import cv2
import numpy as np

from engines.editors.magicface.bench.pretended import SIDE, PretendedEditor, PretendedGPU
from engines.editors.magicface.bench.weights import random_weights
from engines.editors.magicface.speed.cost import network_costs
from engines.trackers.mesh.tracker import MeshTracker
from pipeline import affine
from pipeline.demo.face import photograph
from pipeline.edit.batcher import CropRequest, MicroBatcher
from pipeline.faces.align import display_from_squares, face_squares

SPEEDS = {"20 steps, 180 ms per frame": (20, 0.180), "4 steps, 25 ms per frame": (4, 0.025)}
"""What an H100 should take (docs/performance.md)."""
BATCH = 4
IN_FLIGHT = 3 * BATCH
"""As a segment has it (pipeline/edit/render.py)."""


def measure_busy(frames: int = 120) -> dict[str, Any]:
    """Conditioning, masks, copies and stages are the real ones at 512 px; only the networks sleep.

    Args:
        frames: per speed, in one segment's order.
    """
    weights = str(random_weights("small"))
    shown = _request()
    found: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "batch": BATCH}
    for name, (steps, frame_s) in SPEEDS.items():
        gpu = PretendedGPU(network_costs(), steps, frame_s)
        editor = PretendedEditor(
            weights=weights, networks=gpu.networks(), steps=steps, batch=BATCH, device="cpu"
        )
        cpu_s = _edit(editor, shown, frames)
        found[name] = {
            "busy_share": round(gpu.busy_s / (gpu.busy_s + gpu.idle_s), 4),
            "idle_ms_per_frame": round(1000 * gpu.idle_s / frames, 2),
            "cpu_ms_per_frame": round(1000 * cpu_s / frames, 1),
        }
    return found


def _request() -> CropRequest:
    """A crop of the demo's photograph, with an edit of everything."""
    picture = photograph()
    landmarks = MeshTracker().track([picture])[0][0].landmarks_px
    display_from_crop = display_from_squares(face_squares(landmarks[None]), SIDE)[0]
    crop_from_display = affine.inverse(display_from_crop)
    opencv: Any = cv2
    image = opencv.warpAffine(picture, crop_from_display, (SIDE, SIDE))
    points = affine.apply(crop_from_display, landmarks)
    return CropRequest(
        image=image,
        landmarks_px=points.astype(np.float32),
        frame_index=0,
        delta=np.full(12, 2, np.float32),
        lids=np.zeros(2, np.float32),
        pose=np.zeros(3, np.float32),
    )


def _edit(editor: PretendedEditor, shown: CropRequest, frames: int) -> float:
    """Edits the crop again and again, with as many in flight as a segment has; its CPU seconds."""
    with MicroBatcher(editor, seed=0) as batcher:
        began = time.process_time()
        waiting = [batcher.submit(shown) for _ in range(IN_FLIGHT)]
        for number in range(frames):
            waiting[number].result()
            if len(waiting) < frames:
                waiting.append(batcher.submit(shown))
        return time.process_time() - began
