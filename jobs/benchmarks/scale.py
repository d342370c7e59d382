"""How busy a job keeps many GPUs, which are pretended: an editor that sleeps as long as one takes.

Everything else is real: Ray, the stages, every frame decoded, pasted and encoded. So this machine's
cores must do all of that for all GPUs: with few, choose short clips or long segments. Faces may be
found for real, or be those that were found once in the clip of which all others are copies.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import threading
import time
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from engines.choice import resolve
from engines.editors.identity import IdentityEditor
from engines.interface import AlignedCrops, EditedCrops, Face, RGBFrame
from engines.trackers.mesh.tracker import MeshTracker
from engines.traits import Option, Traits
from jobs.benchmarks.pipeline import CONSTANT_SMILE
from jobs.ray_cluster.simulated import simulated
from keyframes.au import AUDelta
from keyframes.load import parse_sheet
from pipeline.demo.clip import make_demo_clip
from pipeline.rows import StageRow, VideoRow
from pipeline.settings import AnalysisSettings, RenderSettings
from pipeline.store import video_row

SIDE = 96
RATE = 25


class SleepingEditor(IdentityEditor):
    """Sleeps for every frame, and writes down from when to when, in a file per process."""

    traits = Traits(
        options=(
            Option("seconds", float, "of a frame", least=0.0),
            Option("marks", str, "folder that takes what it writes down"),
        ),
        gpu_share=1.0,
    )

    def __init__(self, seconds: float, marks: str) -> None:
        super().__init__(SIDE)
        self._seconds = seconds
        self._marks = Path(marks) / str(os.getpid())

    @staticmethod
    def crop_size_for(**_: object) -> int:
        """Of any settings."""
        return SIDE

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        """As `identity`, after a while."""
        begun = time.time()
        time.sleep(self._seconds * len(crops))
        with self._marks.open("a") as file:
            file.write(f"{begun} {time.time()}\n")
        return super().edit(crops, delta, seed=seed)


class RecalledTracker(MeshTracker):
    """Sleeps for every frame, then says what `mesh` has found in the same frames before."""

    traits = Traits(options=(Option("seconds", float, "of a frame", least=0.0),))

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._found: dict[int, list[list[Face]]] = {}

    def track(self, frames: Sequence[RGBFrame]) -> list[list[Face]]:
        """As `mesh`, which looks at the first of several equal clips in each process."""
        time.sleep(self._seconds * len(frames))
        key = 0
        for frame in frames:
            key = zlib.crc32(frame.tobytes(), key)
        if key not in self._found:
            self._found[key] = super().track(frames)
        return self._found[key]


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
        alone = _Job(folder / "alone", clips[:1], *how).run()
        many = [clips[n % len(clips)] for n in range(videos)]
        with _object_store() as store:
            together = _Job(folder / "together", many, *how).run()
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


class _Job:
    """A job over copies of clips, each of which is a source of its own."""

    def __init__(
        self,
        folder: Path,
        clips: Sequence[Path],
        seconds_per_frame: float,
        looking: float | None,
        cut: bool,
    ) -> None:
        """
        Args:
            looking: seconds of a frame that take the place of finding its faces.
        """
        self._marks = folder / "marks"
        self._marks.mkdir(parents=True)
        self._videos = [_copy(clip, folder, number) for number, clip in enumerate(clips)]
        self._tracker = resolve("tracker", "mesh")
        if looking is not None:
            self._tracker = resolve("tracker", f"{__name__}:RecalledTracker", {"seconds": looking})
        settings = {"seconds": seconds_per_frame, "marks": str(self._marks)}
        editor = resolve("editor", f"{__name__}:SleepingEditor", settings)
        told = seconds_per_frame if cut else 0.0  # a short clip of quick edits is one segment
        self._editor = replace(editor, seconds_per_edit=told, gpu_share=1.0)
        self._landed: list[float] = []
        self._segments = 0

    def run(self) -> dict[str, Any]:
        graph: Any = import_module("pipeline.graph")  # late: the cluster speaks to Ray first
        analysis = AnalysisSettings(self._tracker, resolve("AU estimator", "mesh"))
        render = RenderSettings(parse_sheet(CONSTANT_SMILE, "benchmark"), self._editor)
        begun, cpu = time.time(), time.process_time()
        graph.run(self._videos, graph.Job(analysis, render), self._on_row)
        ended = time.time()
        edits = [self._edits(marks) for marks in sorted(self._marks.iterdir())]
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

    def _edits(self, marks: Path) -> list[tuple[float, float]]:
        lines = [line.split() for line in marks.read_text().splitlines()]
        return [(float(begun), float(ended)) for begun, ended in lines]


def _copy(clip: Path, folder: Path, number: int) -> VideoRow:
    """The clip again, changed at another time and so another source."""
    path = folder / f"{number:05d}.mp4"
    shutil.copy2(clip, path)
    os.utime(path, (number + 1, number + 1))
    output = folder / "out" / path.name
    return {**video_row(path, output, folder / "_work"), "request": "benchmark"}
