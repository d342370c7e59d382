"""What each stage of a job takes, in this one process: for pictures of any size, without Ray."""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path
from typing import Any

from engines.choice import resolve
from keyframes.load import load_sheet
from pipeline import stages
from pipeline.edit.batcher import MicroBatcher
from pipeline.rows import StageRow, VideoRow
from pipeline.run_folder.store import video_row
from pipeline.settings import AnalysisSettings, ElementWish, RenderSettings


def measure_stages(clip: Path, editor: str, matte: str | None) -> dict[str, Any]:
    """CPU and wall milliseconds per frame of each stage, and the process's peak memory.

    Args:
        matte: kind of the elements that are made too.
    """
    analysis = AnalysisSettings(resolve("tracker", "mesh"), resolve("AU estimator", "mesh"))
    chosen = resolve("editor", editor)
    settings = RenderSettings(load_sheet("smile"), chosen, elements=ElementWish(matte=matte))
    spent: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="aureel-benchmark-") as folder:
        output = Path(folder) / f"out{clip.suffix}"
        row: VideoRow = {**video_row(clip, output, Path(folder) / "work"), "request": "benchmark"}
        rows = run_stages(row, analysis, settings)
        for verdict in rows:
            if verdict["error"]:
                raise SystemExit(f"benchmark: {verdict['stage']}: {verdict['error']}")
            wall, cpu = spent.get(verdict["stage"], (0.0, 0.0))
            spent[verdict["stage"]] = [wall + verdict["seconds"], cpu + verdict["cpu_s"]]
        frames = rows[-1]["frames"]
        told = rows[-1]["encoded"]
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "frames": frames,
        "edited": max(v["edited"] for v in rows),
        "encoded": told,
        "ms_per_frame": {
            stage: {"wall": round(1e3 * wall / frames, 1), "cpu": round(1e3 * cpu / frames, 1)}
            for stage, (wall, cpu) in spent.items()
        },
        "peak_mib": round(peak_mib),
    }


def run_stages(
    row: VideoRow, analysis: AnalysisSettings, settings: RenderSettings
) -> list[StageRow]:
    """All stages of one video in this process, a row each, or one per chunk and segment."""
    tracker, estimator = analysis.tracker.make(), analysis.estimator.make()
    summary, *chunks = stages.inspect_stage(row, analysis, settings)
    rows = [summary]
    while chunks:
        for chunk in chunks:
            rows.append(stages.analyse_stage(_span(row, chunk), analysis, tracker, estimator))
        chunks = stages.lacking_stage(row, analysis, settings)
    verdict, faces = stages.assemble_stage(row, analysis, estimator, settings)
    planned, *segments = stages.plan_stage(row, faces, settings)
    rows += [verdict, planned]
    with MicroBatcher(settings.editor.make(), seed=settings.seed) as batcher:
        for segment in segments:
            if segment["stage"] == "plan":
                rows.append(stages.render_stage(_span(row, segment), settings, batcher))
    return [*rows, stages.finish_stage(row, settings)]


def _span(row: VideoRow, work: StageRow) -> Any:
    return {**row, **{name: work[name] for name in ("number", "first", "last", "digest")}}
