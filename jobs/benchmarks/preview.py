"""How soon a second curve shows on a frame that is open already, with the previz editor."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2

from engines.choice import resolve
from keyframes.load import load_sheet
from pipeline.preview import FramePreview

CURVES = ("smile", "surprise", "sad", "neutralise")


def measure_preview(clip: Path | None, rounds: int) -> dict[str, Any]:
    """All figures of `benchmark.py preview`, as a JSON-able dict; on one core."""
    cv2.setNumThreads(1)
    sheets = [load_sheet(name) for name in CURVES]
    with tempfile.TemporaryDirectory(prefix="aureel-benchmark-") as folder:
        source = clip or _demo(Path(folder))
        engines = [
            resolve(kind, name).make()
            for kind, name in (("tracker", "mesh"), ("AU estimator", "mesh"), ("editor", "previz"))
        ]
        begun = time.perf_counter()
        frame = FramePreview(source, "50%", *engines)
        opening = time.perf_counter() - begun
        frame.under(sheets[0])  # its crop is taken now
        wall, cpu = list[float](), list[float]()
        for sheet in sheets * rounds:
            begun, begun_cpu = time.perf_counter(), time.process_time()
            frame.under(sheet)
            wall.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - begun_cpu)
    return {
        "clip": source.name,
        "size": list(frame.original.shape[1::-1]),
        "faces": frame.faces,
        "open_s": round(opening, 2),
        "second_curve_ms": round(1e3 * statistics.median(wall), 1),
        "second_curve_cpu_ms": round(1e3 * statistics.median(cpu), 1),
    }


def _demo(folder: Path) -> Path:
    from pipeline.demo.clip import make_demo_clip

    return make_demo_clip(folder / "demo.mp4", seconds=4.0)
