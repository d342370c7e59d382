"""The pipeline against its floor: what a single process with the same parts would cost.

Floor: decode → crop → paste → encode in one loop: no stages, no pieces, no other streams. Ours: the
render and finish stages of a real job with the `identity` editor, as their workers counted it.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engines.choice import resolve
from engines.editors.identity import IdentityEditor
from engines.interface import AlignedCrops
from jobs.benchmarks.readers import measure_readers
from jobs.ray_cluster import cluster
from keyframes.au import AUDelta
from keyframes.load import parse_sheet
from keyframes.sheet import KeyframeSheet
from pipeline.edit.composite import paste_residual
from pipeline.edit.plan import EditPlan, read_plan
from pipeline.media.colour import crop_rgb
from pipeline.media.read.decoding.decode import decode_range
from pipeline.media.read.inspection import inspect_video
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.rows import StageRow, VideoRow
from pipeline.run_folder.store import VideoFolder, video_row
from pipeline.settings import AnalysisSettings, RenderSettings

ANIMATE = Path(__file__).resolve().parents[1] / "animate.py"

CONSTANT_SMILE = "version: 1\nchannels: {AU12: [[0s, 3]]}\n"
"""Asks for a change on every frame, so that every frame goes the whole way."""


def measure_pipeline(clip: Path | None, rounds: int) -> dict[str, Any]:
    """All figures of `benchmark.py pipeline`, as a JSON-able dict."""
    with tempfile.TemporaryDirectory(prefix="aureel-benchmark-") as folder:
        source = clip or _twenty_seconds(Path(folder))
        seen = inspect_video(str(source))
        realtime = _previz_realtime(source, Path(folder))
        cluster.start()
        ray: Any = import_module("ray")  # late: cluster speaks to it first
        # In a worker too: its environment, priority and threads are those of ours.
        floor_task = ray.remote(_floor_cpu)
        ours, floors = list[dict[str, float]](), list[float]()
        for number in range(rounds):
            video = _row(source, Path(folder) / str(number))
            ours.append(_job_cpu(video))
            floors.append(ray.get(floor_task.remote(video, Path(folder) / "floor.mp4")))
        frames = seen.frames
        floor = statistics.median(floors)
        rendered = statistics.median(o["render"] + o["finish"] for o in ours)
        return {
            "clip": source.name,
            "frames": frames,
            "size": list(seen.info.display_size),
            "machine": {"cpus": os.cpu_count(), "processor": platform.processor()},
            "rounds": rounds,
            "cpu_ms_per_frame": {
                "floor": round(1e3 * floor / frames, 2),
                "render_and_finish": round(1e3 * rendered / frames, 2),
                "analysis": round(1e3 * statistics.median(o["analyse"] for o in ours) / frames, 2),
            },
            "ratio_to_floor": round(rendered / floor, 3),
            "ratio_by_round": [
                round((o["render"] + o["finish"]) / f, 3) for o, f in zip(ours, floors, strict=True)
            ],
            "cpu_ms_per_frame_read_for_analysis": measure_readers(seen, rounds),
            "previz_cold_start": realtime,
        }


def _twenty_seconds(folder: Path) -> Path:
    from pipeline.demo.clip import make_demo_clip

    return make_demo_clip(folder / "demo20.mp4", seconds=20.0)


def _row(source: Path, folder: Path) -> VideoRow:
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"out{source.suffix}"
    return {**video_row(source.absolute(), output, folder / "_work"), "request": "benchmark"}


def _sheet() -> KeyframeSheet:
    return parse_sheet(CONSTANT_SMILE, "benchmark")


def _job_cpu(video: VideoRow) -> dict[str, float]:
    """CPU seconds by stage of a whole job with the identity editor."""
    from pipeline.graph import Job, run

    analysis = AnalysisSettings(resolve("tracker", "mesh"), resolve("AU estimator", "mesh"))
    render = RenderSettings(_sheet(), resolve("editor", "identity"))
    job = Job(analysis, render)
    spent: Counter[str] = Counter()

    def on_row(row: StageRow) -> None:
        if row["error"]:
            raise SystemExit(f"benchmark: {row['stage']}: {row['error']}")
        spent[row["stage"]] += row["cpu_s"]  # type: ignore[assignment]

    run([video], job, on_row)
    return dict(spent)


def _floor_cpu(video: VideoRow, output: Path) -> float:
    """CPU seconds of one plain loop over the same frames, crops and encoder settings."""
    cv2.setNumThreads(1)
    seen = inspect_video(video["source"])
    folder = VideoFolder.of(video)
    plan = read_plan(folder.plan(video["request"]))
    settings = mirror_settings(seen.info, "medium", index=seen.index)
    editor = IdentityEditor()
    begun = time.process_time()
    with PieceWriter(str(output), seen.info, settings) as writer:
        for number, frame in enumerate(
            decode_range(seen.info.path, seen.info, seen.index, 0, seen.frames - 1)
        ):
            for row in plan.at(number):
                _edit_in_place(frame, seen.info, plan, row, editor)
            writer.write(frame)
    return time.process_time() - begun


def _edit_in_place(frame: Any, info: Any, plan: EditPlan, row: int, editor: IdentityEditor) -> None:
    affine = plan.coded_from_crop[row]
    crop = crop_rgb(frame, info, affine, editor.crop_size)
    edits = editor.edit(
        AlignedCrops(crop[None], plan.landmarks_px[row][None], plan.frame[row : row + 1]),
        AUDelta(plan.delta[row][None]),
        seed=0,
    )
    residual = (edits.edited[0].astype(np.float32) - edits.reference[0]) / np.float32(255)
    paste_residual(frame, info, residual, edits.mask[0], affine)


def _previz_realtime(source: Path, folder: Path) -> dict[str, float]:
    """Wall seconds of `animate.py` with the previz editor in a new process, against the clip."""
    output = folder / f"previz{source.suffix}"
    command = [
        sys.executable,
        str(ANIMATE),
        "--curve",
        "smile",
    ]
    begun = time.perf_counter()
    subprocess.run(
        [*command, "--editor", "previz", "--input", str(source), "--output", str(output)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - begun
    length = inspect_video(str(source)).timeline.duration_s
    return {
        "seconds": round(seconds, 2),
        "clip_seconds": round(length, 2),
        "ratio_to_real_time": round(seconds / length, 3),
    }
