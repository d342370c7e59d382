"""What a verdict costs per frame, what its page costs, and how memory follows the clip's length.

Loading the judges' networks is once per process and stands apart.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2
import psutil

from engines.choice import resolve
from keyframes.load import load_sheet
from pipeline.demo.clip import make_demo_clip
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.plan import plan_edits
from pipeline.edit.render import Rendered, edited_frames
from pipeline.edit.segments import Span
from pipeline.figures.verdict_page.page import write_verdict_page
from pipeline.media.read.inspection import inspect_video
from pipeline.media.write.encoding.encode import PieceWriter
from pipeline.media.write.encoding.mirror import mirror_settings
from pipeline.quality.clip import Clip, measure
from pipeline.quality.evaluate import evaluate_shot
from pipeline.quality.question import Question
from pipeline.quality.shot import judges

LONGER = 6
Result = TypeVar("Result")


def measure_evaluation(seconds: float) -> dict[str, Any]:
    """All figures of `benchmark.py evaluation`, as a JSON-able dict."""
    cv2.setNumThreads(1)
    _, loading_s, _ = _timed(judges)
    with tempfile.TemporaryDirectory(prefix="aureel-benchmark-") as folder:
        return {
            "judges_load_cpu_s": round(loading_s, 2),
            "short": _judged(Path(folder) / "short", seconds),
            "long": _judged(Path(folder) / "long", LONGER * seconds),
        }


def _judged(folder: Path, seconds: float) -> dict[str, Any]:
    """CPU time of each part, and by how much memory peaks while the metrics are taken."""
    tracker, estimator, editor = (
        resolve(kind, name).make()
        for kind, name in (("tracker", "mesh"), ("AU estimator", "mesh"), ("editor", "previz"))
    )
    source = inspect_video(str(make_demo_clip(folder / "demo.mp4", seconds=seconds)))
    plate = Clip(source, measure(source, tracker, estimator))
    sheet = load_sheet("smile")
    made = _smile(plate, folder / "made.mp4", editor, sheet)
    output = inspect_video(str(made))
    faces, analysis_s, _ = _timed(lambda: measure(output, tracker, estimator, plate.analysis))
    question = Question(sheet, 0, "mesh", "previz", "veryfast")
    verdict, metrics_s, grown = _timed(lambda: evaluate_shot(plate, Clip(output, faces), question))
    page, page_s, _ = _timed(
        lambda: write_verdict_page(folder / "page.html", verdict, source, output)
    )
    frames = source.frames
    return {
        "frames": frames,
        "metrics_cpu_ms_per_frame": round(1e3 * metrics_s / frames, 1),
        "analysis_of_the_edit_cpu_ms_per_frame": round(1e3 * analysis_s / frames, 1),
        "page_cpu_s": round(page_s, 2),
        "page_mib": round(page.stat().st_size / 2**20, 2),
        "metrics_peak_mib_above_start": round(grown),
    }


def _smile(plate: Clip, path: Path, editor: Any, sheet: Any) -> Path:
    source = plate.inspection
    plan = plan_edits(source, plate.analysis, sheet, editor.crop_size).plan
    settings = mirror_settings(source.info, "veryfast", index=source.index)
    with (
        MicroBatcher(editor, seed=0) as batcher,
        PieceWriter(str(path), source.info, settings) as writer,
    ):
        whole = Span(0, 0, source.frames - 1)
        for frame in edited_frames(source, whole, plan, batcher, Rendered()):
            writer.write(frame)
    return path


def _timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """What work gives, its CPU seconds, and the MiB by which resident memory peaked meanwhile."""
    process, ended = psutil.Process(), threading.Event()
    start = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.05):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    begun = time.process_time()
    try:
        result = work()
    finally:
        taken = time.process_time() - begun
        ended.set()
        watcher.join()
    return result, taken, (peak - start) / 2**20
