"""How busy a job keeps many GPUs, which are pretended: an editor that sleeps as long as one takes.

Everything else is real: Ray, the stages, every frame decoded, pasted and encoded. So this machine's
cores must do all of that for all GPUs: with few, choose short clips or long segments. Faces may be
found for real, or be those that were found once in the clip of which all others are copies.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from engines.choice import resolve
from jobs.benchmarks.pipeline import CONSTANT_SMILE
from jobs.benchmarks.scaling import pretended
from jobs.ray_cluster.simulated import simulated
from keyframes.load import parse_sheet
from pipeline.demo.clip import make_demo_clip
from pipeline.rows import StageRow, VideoRow
from pipeline.run_folder.store import video_row
from pipeline.settings import AnalysisSettings, RenderSettings

RATE = 25


def measure_scale(
    gpus: int,
    videos: int,
    seconds_per_segment: float,
    clip_seconds: float,
    side: int,
    *,
    analysis_share: float | None = None,
    nodes: int = 1,
    cores: int | None = None,
    lengths: Sequence[int] = (1,),
    cut: bool = False,
) -> dict[str, Any]:
    """One job of clips, after one of a single clip.

    Args:
        seconds_per_segment: that the editor takes for a clip of `clip_seconds`.
        clip_seconds: of a clip of length 1, at 25 frames per second.
        side: of its frames, pixels.
        analysis_share: of a segment's seconds, which a core is held for instead of finding faces;
            None finds them.
        nodes: raylets, which share GPUs and cores.
        cores: as Ray counts them, pretended too; None takes this machine's.
        lengths: of the clips in turn; the single clip is one of the first.
        cut: clips are cut as a job cuts them; else each is one segment.
    """
    cores = cores or len(os.sched_getaffinity(0))
    with (
        simulated(gpus, nodes, cores),
        tempfile.TemporaryDirectory(prefix="aureel-benchmark-") as place,
    ):
        folder = Path(place)
        clips = [
            make_demo_clip(folder / f"{n}.mp4", seconds=n * clip_seconds, size=(side, side))
            for n in lengths
        ]
        each = seconds_per_segment / round(clip_seconds * RATE)
        how = each, None if analysis_share is None else analysis_share * each, cut
        alone = PretendedJob(folder / "alone", clips[:1], *how).run()
        many = [clips[n % len(clips)] for n in range(videos)]
        with _object_store() as store:
            together = PretendedJob(folder / "together", many, *how).run()
        bare = pretended.cpu_s_of_a_bare_actor()
    asked = sum(lengths[n % len(lengths)] for n in range(videos)) * seconds_per_segment
    ideal = asked / gpus
    return {
        "gpus": gpus,
        "nodes": nodes,
        "cores_in_ray": cores,
        "videos": videos,
        "analysis_share": "measured" if analysis_share is None else analysis_share,
        "seconds_per_segment": seconds_per_segment,
        "lengths": list(lengths),
        "clips_are_cut": cut,
        "single_clip_s": round(alone["seconds"], 2),
        "ideal_s": round(ideal, 2),
        "efficiency": round(ideal / together["seconds"], 3),
        "efficiency_between_first_and_last_edit": round(ideal / together["editing_s"], 3),
        "first_output_by_single_clip": round(together["first_output_s"] / alone["seconds"], 2),
        **together,
        "cpu_s_of_a_bare_actor": round(bare, 2),
        "object_store_peak_mb": round(max(store) / 1e6, 2),
    }


@contextmanager
def _object_store() -> Generator[list[float]]:
    """Bytes that Ray's object stores held while the body ran, looked at twice a second."""
    ray: Any = import_module("ray")
    seen, over = [0.0], threading.Event()

    def look() -> None:
        name = "object_store_memory"
        while not over.wait(0.5):
            seen.append(ray.cluster_resources()[name] - ray.available_resources().get(name, 0.0))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


class PretendedJob:
    """A job over copies of clips, each of which is a source of its own."""

    def __init__(
        self,
        folder: Path,
        clips: Sequence[Path],
        seconds_per_frame: float,
        looking: float | None,
        cut: bool,
        gpu_share: float = 1.0,
    ) -> None:
        """
        Args:
            looking: seconds of a frame that take the place of finding its faces.
            gpu_share: of an actor.
        """
        self._marks = folder / "marks"
        self._marks.mkdir(parents=True)
        self._videos = [_copy(clip, folder, number) for number, clip in enumerate(clips)]
        self._tracker = resolve("tracker", "mesh")
        if looking is not None:
            found = {"seconds": looking, "found": str(folder.parent / "found")}
            self._tracker = resolve("tracker", f"{pretended.__name__}:RecalledTracker", found)
        settings = {"seconds": seconds_per_frame, "marks": str(self._marks)}
        editor = resolve("editor", f"{pretended.__name__}:SleepingEditor", settings)
        told = seconds_per_frame if cut else 0.0  # a short clip of quick edits is one segment
        self._editor = replace(editor, seconds_per_edit=told, gpu_share=gpu_share)
        self._landed: list[float] = []
        self._segments = 0

    def run(self) -> dict[str, Any]:
        graph: Any = import_module("pipeline.graph")  # late: the cluster speaks to Ray first
        analysis = AnalysisSettings(self._tracker, resolve("AU estimator", "mesh"))
        render = RenderSettings(parse_sheet(CONSTANT_SMILE, "benchmark"), self._editor)
        begun, cpu = time.time(), time.process_time()
        graph.run(self._videos, graph.Job(analysis, render), self._on_row)
        ended = time.time()
        marks = [_read(path) for path in sorted(self._marks.iterdir())]
        edits = [spans for _, spans in marks if spans]
        first = min(spans[0][0] for spans in edits)
        last = max(spans[-1][1] for spans in edits)
        return {
            "seconds": round(ended - begun, 2),
            "first_edit_s": round(first - begun, 2),
            "first_output_s": round(min(self._landed) - begun, 2),
            "editing_s": round(last - first, 2),
            "idle_share_by_gpu": [
                round(1 - sum(b - a for a, b in spans) / (last - first), 3) for spans in edits
            ],
            "idle_share_by_gpu_at_work": [
                round(1 - sum(b - a for a, b in spans) / (spans[-1][1] - spans[0][0]), 3)
                for spans in edits
            ],
            "cpu_s_until_an_actor_edits": round(statistics.median(cpu for cpu, _ in marks), 2),
            "actors": len(marks),
            "segments": self._segments,
            "driver_cpu_s": round(time.process_time() - cpu, 2),
            "driver_peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        }

    def _on_row(self, row: StageRow) -> None:
        if row["error"]:
            raise SystemExit(f"benchmark: {row['stage']}: {row['error']}")
        self._segments += row["stage"] == "render"
        if row["stage"] == "finish":
            self._landed.append(time.time())


def _read(marks: Path) -> tuple[float, list[tuple[float, float]]]:
    """What an editor has written down: CPU time until it was ready, begin and end of each edit."""
    ready, *lines = marks.read_text().splitlines()
    begun_ended = [line.split() for line in lines]
    return float(ready), [(float(begun), float(ended)) for begun, ended in begun_ended]


def _copy(clip: Path, folder: Path, number: int) -> VideoRow:
    """The clip again, changed at another time and so another source."""
    path = folder / f"{number:05d}.mp4"
    shutil.copy2(clip, path)
    os.utime(path, (number + 1, number + 1))
    output = folder / "out" / path.name
    return {**video_row(path, output, folder / "_work"), "request": "benchmark"}
