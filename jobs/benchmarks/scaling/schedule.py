"""What the graph makes of a cluster's time, without the cluster: its own code on a virtual clock.

Real are the course of videos through the stages, what may wait between them, the order, the cuts
and which pool of actors a row goes to; virtual are tasks, actors, GPUs and time (virtual.py).
"""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engines.choice import resolve
from jobs.benchmarks.pipeline import CONSTANT_SMILE
from jobs.benchmarks.scaling import pretended
from jobs.benchmarks.scaling.virtual import Cluster, Node
from keyframes.load import parse_sheet
from pipeline import graph
from pipeline.edit.segments import Hands, Span, plan_chunks, plan_segments
from pipeline.rows import StageRow, VideoRow, stage_row
from pipeline.run_folder.store import video_row
from pipeline.settings import AnalysisSettings, RenderSettings
from pipeline.source import Identity

TASK_S = {"inspect_row": 0.1, "plan_row": 0.2, "finish_row": 0.2}
"""Of a core, for a clip of some seconds."""
KEY_FRAMES = 50
"""From one to the next."""


@dataclass(frozen=True)
class Shape:
    """A job that is only times.

    Attributes:
        frames: of each clip, in the order they are given.
        edit_s: of a frame on a GPU of speed 1.
        analysis_s: of a frame on a core.
        cut: clips are cut as a job cuts them; else each is one segment.
        gpu_share: of an actor.
    """

    frames: tuple[int, ...]
    edit_s: float
    analysis_s: float
    cut: bool = False
    gpu_share: float = 1.0


def nodes_of(gpus: int, each: int, cores_per_gpu: float, speeds: Sequence[float]) -> list[Node]:
    """Nodes for so many GPUs, the last with what is left; speeds by node, in turn."""
    shares = [min(each, gpus - first) for first in range(0, gpus, each)]
    return [
        Node(cores_per_gpu * share, share, speeds[number % len(speeds)])
        for number, share in enumerate(shares)
    ]


def measure_schedule(shape: Shape, nodes: Sequence[Node], actor_start_s: float) -> dict[str, Any]:
    """One job, after one of its longest clip alone; seconds of the virtual clock.

    Args:
        nodes: of the cluster; each job has them new.
        actor_start_s: from an actor's place on a GPU to its first row.
    """
    alone = replace(shape, frames=(max(shape.frames),))
    single = _Run(alone, nodes, actor_start_s).run()
    told = _Run(shape, nodes, actor_start_s).run()
    speeds = sum(node.gpus * node.speed for node in nodes)
    ideal = sum(shape.frames) * shape.edit_s / speeds
    return {
        "gpus": sum(node.gpus for node in nodes),
        "nodes": len(nodes),
        "cores": sum(node.cpus for node in nodes),
        "videos": len(shape.frames),
        "actor_start_s": actor_start_s,
        "single_clip_s": round(single["seconds"], 2),
        "ideal_s": round(ideal, 2),
        "efficiency": round(ideal / told["seconds"], 3),
        "efficiency_between_first_and_last_edit": round(ideal / told["editing_s"], 3),
        "first_output_by_single_clip": round(told["first_output_s"] / single["seconds"], 2),
        **told,
    }


class _Run:
    """A job on a new cluster."""

    def __init__(self, shape: Shape, nodes: Sequence[Node], actor_start_s: float) -> None:
        self._shape = shape
        self._rows = [_row(*clip) for clip in enumerate(shape.frames)]
        self._videos = {row["video"]: n for row, n in zip(self._rows, shape.frames, strict=True)}
        fresh = [Node(node.cpus, node.gpus, node.speed) for node in nodes]
        self._cluster = Cluster(fresh, self._task, self._edit, actor_start_s)
        self._outputs: list[float] = []
        self._segments = 0

    def run(self) -> dict[str, Any]:
        """Seconds of all, by the virtual clock; of the driver, by its own."""
        analysis = AnalysisSettings(resolve("tracker", "mesh"), resolve("AU estimator", "mesh"))
        target, settings = f"{pretended.__name__}:SleepingEditor", {"seconds": 0.0, "marks": ""}
        editor = replace(
            resolve("editor", target, settings),
            seconds_per_edit=self._shape.edit_s,
            gpu_share=self._shape.gpu_share,
        )
        render = RenderSettings(parse_sheet(CONSTANT_SMILE, "benchmark"), editor)
        cpu = time.process_time()
        with self._cluster.instead_of_ray():
            graph.run(self._rows, graph.Job(analysis, render), self._on_row)
        return {**self._times(), "driver_cpu_s": round(time.process_time() - cpu, 2)}

    def _times(self) -> dict[str, Any]:
        spans = [gpu.spans for gpu in self._cluster.gpus if gpu.spans]
        first = min(each[0][0] for each in spans)
        last = max(each[-1][1] for each in spans)
        busy = [sum(end - begin for begin, end in each) for each in spans]
        at_work = [each[-1][1] - each[0][0] for each in spans]
        idle = [1 - b / (last - first) for b in busy]
        while_at_work = [1 - b / w for b, w in zip(busy, at_work, strict=True)]
        return {
            "seconds": round(max(self._outputs), 2),
            "first_edit_s": round(first, 2),
            "first_output_s": round(min(self._outputs), 2),
            "editing_s": round(last - first, 2),
            "gpus_that_edited": len(spans),
            "idle_share_of_gpus": _spread(idle),
            "idle_share_of_gpus_at_work": _spread(while_at_work),
            "first_gpu_out_of_work_s_before_the_end": round(
                last - min(each[-1][1] for each in spans), 2
            ),
            "edit_seconds_by_speed": self._by_speed(),
            "segments": self._segments,
            "driver_peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        }

    def _by_speed(self) -> dict[str, float]:
        """What a GPU of each speed has done, in seconds of a GPU of speed 1; their mean."""
        done: dict[float, list[float]] = {}
        for gpu in self._cluster.gpus:
            busy = sum(end - begin for begin, end in gpu.spans)
            done.setdefault(gpu.speed, []).append(busy * gpu.speed)
        return {f"{speed:g}": round(sum(each) / len(each), 2) for speed, each in done.items()}

    def _on_row(self, row: StageRow) -> None:
        assert not row["error"], row["error"]
        self._segments += row["stage"] == "render"
        if row["stage"] == "finish":
            self._outputs.append(self._cluster.driver.monotonic())

    def _task(self, name: str, row: Any) -> tuple[float, list[StageRow]]:
        video, frames = row["video"], self._videos[row["video"]]
        if name == "inspect_row":
            chunks = [_to_do(video, "inspect", span) for span in plan_chunks(_keys(frames))]
            return TASK_S[name], [stage_row(video, "inspect", frames=frames), *chunks]
        if name == "analyse_row":
            span = Span(row["number"], row["first"], row["last"])
            done = stage_row(video, "analyse", span.number, frames=span.frames)
            return span.frames * self._shape.analysis_s, [done]
        if name == "plan_row":
            cut = [_to_do(video, "plan", span) for span in self._cut(frames, row)]
            told = [stage_row(video, stage) for stage in ("assemble", "plan")]
            return TASK_S[name], [*told, *cut]
        return TASK_S[name], [stage_row(video, "finish", frames=frames)]

    def _cut(self, frames: int, row: Any) -> list[Span]:
        if not self._shape.cut:
            return [Span(0, 0, frames - 1)]
        hands = Hands(row["workers"], row["calls"])
        return plan_segments(_keys(frames), np.ones(frames, bool), self._shape.edit_s, hands=hands)

    def _edit(self, row: Any) -> tuple[float, StageRow]:
        frames = row["last"] - row["first"] + 1
        done = stage_row(row["video"], "render", row["number"], frames=frames, edited=frames)
        return frames * self._shape.edit_s, done


def _spread(shares: list[float]) -> dict[str, float]:
    return {"mean": round(sum(shares) / len(shares), 3), "most": round(max(shares), 3)}


def _keys(frames: int) -> Any:
    return np.arange(frames) % KEY_FRAMES == 0


def _to_do(video: str, stage: str, span: Span) -> StageRow:
    return stage_row(video, stage, span.number, first=span.first, last=span.last)


def _row(number: int, frames: int) -> VideoRow:
    """A clip whose file is the larger, the longer it is."""
    paths = Path(f"{number}.mp4"), Path(f"{number}.out.mp4"), Path("_work")
    return video_row(*paths, identity=Identity(frames, 1, 1, str(number)))
