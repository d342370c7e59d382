"""The whole job as Ray Data datasets, on one screen.

    inspect   1 task per video   packets only                        tiny
    analyse   1 row per chunk    faces, AUs → run folder             tasks (actors on a GPU)
    plan      1 task per video   curve → deltas → segments           tiny
    render    1 row per segment  decode → edit → encode → piece      tasks (actors on a GPU)
    finish    1 task per video   join, copy, verify, publish         as soon as its last piece lands

Rows are descriptors (pipeline/rows.py); pixels never leave the process that decoded them, since
one frame costs about 20 ms of CPU against 50 ms to 5 s of GPU. This shape was measured at +14 %
over a plain loop; frames as rows at +57 to +74 %.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import ray
import ray.data
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError

from pipeline import actors
from pipeline.rows import WHOLE_VIDEO, SpanRow, StageRow, StudyRow, VideoRow, stage_row
from pipeline.settings import AnalysisSettings, JudgeSettings, RenderSettings
from pipeline.source import Identity
from pipeline.studies.shares import StudySettings

WAVE_ROWS = 5000
"""Rows of one dataset at most: `from_items` costs 1 ms per block before anything runs."""
CALLS_PER_ACTOR = 3
"""Segments at once in a GPU actor: 92 % GPU busy, 66 % with one."""
SEE_LOGS = "its logs say why; run again to resume"

OnRow = Callable[[StageRow], None]


@dataclass(frozen=True)
class Job:
    """Everything a run needs to know.

    Attributes:
        render: None when only tables are asked for.
        gpus: of the whole cluster.
    """

    analysis: AnalysisSettings
    render: RenderSettings | None
    gpus: float = 0.0
    qa: JudgeSettings | None = None


def run(videos: list[VideoRow], job: Job, on_row: OnRow) -> None:
    """Takes every video through all stages; every verdict goes to `on_row` as it is reached."""
    _settle_context()
    for wave in _waves(videos, max(1, WAVE_ROWS // 20)):
        planned = list(_analysed(wave, job, on_row))
        if job.render is not None:
            _rendered({v["video"]: v for v in wave}, planned, job, job.render, on_row)


def _settle_context() -> None:
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # `lost` rows say it in one line
    context = DataContext.get_current()
    context.max_errored_blocks = -1  # a backstop only: errors travel as rows
    context.execution_options.preserve_order = False  # order is by (video, segment)
    context.execution_no_progress_timeout_s = -1  # a job may wait for GPUs as long as it takes
    context.actor_init_retry_on_errors = True
    context.max_consecutive_actor_init_deaths = 3
    context.enable_progress_bars = False  # jobs/command_line/progress.py prints one line of its own


def _analysed(wave: list[VideoRow], job: Job, on_row: OnRow) -> Iterator[StageRow]:
    """Inspects, analyses and plans; yields a row per segment (those already rendered included)."""
    sharing = _by_source(wave)
    plans = SingleTasks(actors.plan_row, "plan")

    def plan(first: str) -> None:
        for video in sharing[first]:
            plans.start(video, job.analysis, job.render)

    def tell(row: StageRow) -> None:
        for video in sharing[row["video"]]:
            on_row({**row, "video": video["video"]})

    chunks = Countdown(tell, "analyse")
    todo = _inspected({first: videos[0] for first, videos in sharing.items()}, job, tell, chunks)
    for video in chunks.complete():
        plan(video)
    for row in _rows(todo, lambda ds: _analyse(ds, job)):
        if chunks.landed(row):
            plan(row["video"])
    chunks.report_lost()
    for row in plans.landed():
        if row["number"] == WHOLE_VIDEO:
            on_row(row)
        else:
            yield row


def _by_source(wave: list[VideoRow]) -> dict[str, list[VideoRow]]:
    """Videos that share an analysis, under the name of the first: it is made once for all."""
    sharing: dict[tuple[str, str], list[VideoRow]] = {}
    for video in wave:
        state = Identity.parse(video["identity"]).state
        sharing.setdefault((video["work"], state), []).append(video)
    return {videos[0]["video"]: videos for videos in sharing.values()}


def _inspected(
    by_video: dict[str, VideoRow], job: Job, on_row: OnRow, chunks: Countdown
) -> list[SpanRow]:
    """Reads every video's packets; the chunks to analyse, which `chunks` then waits for."""
    inspections = SingleTasks(actors.inspect_row, "inspect")
    for video in by_video.values():
        inspections.start(video, job.analysis, job.render)
    todo: list[SpanRow] = []
    for row in inspections.landed():
        if row["number"] != WHOLE_VIDEO:
            chunks.expect(row["video"])
            todo.append(_span(by_video[row["video"]], row))
            continue
        on_row(row)
        if not row["error"]:
            chunks.expect(row["video"], 0)
    return todo


def _rendered(
    by_video: dict[str, VideoRow],
    segments: list[StageRow],
    job: Job,
    settings: RenderSettings,
    on_row: OnRow,
) -> None:
    """Renders the planned segments; finishes each video as soon as its last piece is there."""
    todo: list[SpanRow] = []
    pieces = Countdown(on_row, "render")
    finishing = SingleTasks(actors.finish_row, "finish")

    def finish(video: str) -> None:
        finishing.start(by_video[video], settings)

    for row in segments:
        if row["stage"] == "plan":
            pieces.expect(row["video"])
            todo.append(_span(by_video[row["video"]], row))
        else:
            pieces.expect(row["video"], 0)
            on_row(row)
    for video in pieces.complete():
        finish(video)
    for row in _rows(todo, lambda ds: _render(ds, job, settings, len(todo))):
        if pieces.landed(row):
            finish(row["video"])
    pieces.report_lost()
    _finished(finishing, by_video, job, settings, on_row)


def _finished(
    finishing: SingleTasks,
    by_video: dict[str, VideoRow],
    job: Job,
    settings: RenderSettings,
    on_row: OnRow,
) -> None:
    """What comes after an output stands: its plots, its verdict."""
    plots = SingleTasks(actors.plot_row, "plot")
    judging = SingleTasks(actors.qa_row, "qa")
    for row in finishing.landed():
        on_row(row)
        if settings.plot and not row["error"]:
            plots.start(by_video[row["video"]], job.analysis, settings)
        if job.qa and not row["error"]:
            judging.start(by_video[row["video"]], job.qa)
    for row in (*plots.landed(), *judging.landed()):
        on_row(row)


def evaluate(videos: list[VideoRow], settings: JudgeSettings, on_row: OnRow) -> None:
    """Judges outputs that are there already, a task per video."""
    judging = SingleTasks(actors.qa_row, "qa")
    for video in videos:
        judging.start(video, settings)
    for row in judging.landed():
        on_row(row)


def study(rows: list[StudyRow], settings: StudySettings, gpus: float, on_row: OnRow) -> None:
    """Makes and measures the shares of a study; every verdict goes to `on_row`."""
    _settle_context()
    shares = Countdown(on_row, "study")
    for row in rows:
        shares.expect(row["video"])
    for row in _rows(rows, lambda ds: _study(ds, settings, gpus)):
        shares.landed(row)
    shares.report_lost()


def _study(dataset: ray.data.Dataset, settings: StudySettings, gpus: float) -> ray.data.Dataset:
    share = max(engine.gpu_share for engine in settings.engines)
    if not share:
        make: Any = partial(actors.study_row, settings=settings)
        return dataset.map(make)
    pool = ActorPoolStrategy(size=max(1, int(gpus / share)))
    actor: Any = actors.Study
    return dataset.map(actor, fn_constructor_args=(settings,), num_gpus=share, compute=pool)


class SingleTasks:
    """A stage of one task per video, beside the datasets; a task that dies becomes a row as well.

    A dataset would cost such a stage its own start, and each video must not wait for all others.
    """

    def __init__(self, work: Callable[..., list[StageRow]], stage: str) -> None:
        self._task: Any = ray.remote(work).options(scheduling_strategy="SPREAD")
        self._stage = stage
        self._running: dict[Any, str] = {}

    def start(self, video: VideoRow, *settings: Any) -> None:
        self._running[self._task.remote(video, *settings)] = video["video"]

    def landed(self) -> Iterator[StageRow]:
        """Rows, as the tasks end."""
        while self._running:
            (ended,), _ = ray.wait(list(self._running))
            yield from self._rows(ended, self._running.pop(ended))

    def _rows(self, ended: Any, video: str) -> list[StageRow]:
        try:
            return ray.get(ended)
        except RayError as error:
            line = f"its task was given up by Ray ({type(error).__name__}); {SEE_LOGS}"
            return [stage_row(video, self._stage, error=line)]


class Countdown:
    """Says when the last row of a video has landed, and which videos lost rows on the way."""

    def __init__(self, on_row: OnRow, stage: str) -> None:
        self._on_row = on_row
        self._stage = stage
        self._open: Counter[str] = Counter()
        self._failed: set[str] = set()

    def expect(self, video: str, rows: int = 1) -> None:
        self._open[video] += rows

    def complete(self) -> list[str]:
        """Videos that wait for nothing."""
        return [video for video, count in self._open.items() if count == 0]

    def landed(self, row: StageRow) -> bool:
        """Counts a row; True when it was its video's last and none had failed."""
        self._on_row(row)
        self._open[row["video"]] -= 1
        if row["error"]:
            self._failed.add(row["video"])
        return self._open[row["video"]] == 0 and row["video"] not in self._failed

    def report_lost(self) -> None:
        """Ray drops a row whose task it gives up; nothing may be lost silently."""
        for video, count in self._open.items():
            if count > 0:
                error = f"{count} tasks were given up by Ray; {SEE_LOGS}"
                self._on_row(stage_row(video, self._stage, error=error))


def _analyse(dataset: ray.data.Dataset, job: Job) -> ray.data.Dataset:
    share = job.analysis.gpu_share
    if not share:
        analyse: Any = partial(actors.analyse_row, settings=job.analysis)
        return dataset.map(analyse)
    pool = ActorPoolStrategy(size=max(1, int(job.gpus / share)))
    actor: Any = actors.Analyse
    return dataset.map(actor, fn_constructor_args=(job.analysis,), num_gpus=share, compute=pool)


def _render(
    dataset: ray.data.Dataset, job: Job, settings: RenderSettings, segments: int
) -> ray.data.Dataset:
    share = settings.editor.gpu_share
    if not share:
        render: Any = partial(actors.render_row, settings=settings)
        return dataset.map(render, **_room_for(settings))
    pool = ActorPoolStrategy(
        size=max(1, min(int(job.gpus / share), segments)),
        max_concurrent_calls_per_actor=CALLS_PER_ACTOR,
        max_tasks_in_flight_per_actor=CALLS_PER_ACTOR,  # no work stealing: a queued one is bound
        enable_true_multi_threading=True,
    )
    return dataset.map_batches(
        actors.Render,
        fn_constructor_args=(settings,),
        batch_size=1,
        num_gpus=share,
        compute=pool,
    )


def _room_for(settings: RenderSettings) -> Any:
    needs = settings.editor.cpu_needs
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return {} if needs is None else cpu_room(needs.memory, nodes)


def cpu_room(memory: int, nodes: list[dict[str, float]]) -> dict[str, float]:
    """What Ray is to keep for a task that takes so much memory: as many at once as nodes hold.

    They share a node's cores; of unlike nodes, the one with fewest per task says how many. A task
    larger than every node runs alone on the largest.

    Args:
        memory: bytes of one task.
        nodes: their resources, as Ray counts them.
    """
    able = [node for node in nodes if node.get("CPU") and node.get("memory")]
    if not able:
        return {}
    largest = max(node["memory"] for node in able)
    able = [node for node in able if node["memory"] >= min(memory, largest)]
    at_once = [(int(node["CPU"]), max(1, int(node["memory"] // memory))) for node in able]
    cpus = min(max(1, cores // count) for cores, count in at_once)
    return {"num_cpus": cpus, "memory": min(memory, int(largest))}


def _rows(
    rows: Iterable[Any], build: Callable[[ray.data.Dataset], ray.data.Dataset]
) -> Iterator[StageRow]:
    """Runs rows through an operator, in waves; one row = one block = one task."""
    for wave in _waves(list(rows), WAVE_ROWS):
        dataset = ray.data.from_items(wave, override_num_blocks=len(wave))
        for row in build(dataset).iter_rows():
            yield cast(StageRow, row)


def _span(video: VideoRow, row: StageRow) -> SpanRow:
    return {
        **video,
        "number": row["number"],
        "first": row["first"],
        "last": row["last"],
        "digest": row["digest"],
    }


def _waves(rows: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
