"""Thin Ray actors and tasks around pipeline/stages: they hold engines and catch what is raised.

This is the one place where any exception becomes a row: a bad video must neither stop the job nor
vanish from it (Ray's own choices when a row raises).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from engines.choice import Engine
from engines.errors import EngineError, EngineUnavailableError, NumericOverflowError
from engines.registry import option_name, traits_of
from keyframes.errors import KeyframeError
from pipeline import stages
from pipeline.edit.batcher import MicroBatcher
from pipeline.edit.segments import Hands
from pipeline.errors import PipelineError
from pipeline.guards.room import note_in, with_room
from pipeline.held import files_at_hand
from pipeline.metrics import ActorCounts, counter
from pipeline.rows import WHOLE_VIDEO, StageRow, stage_row
from pipeline.run_folder.strikes import Gate, counted_start, work_of
from pipeline.settings import AnalysisSettings, JudgeSettings, RenderSettings, digest_of

if TYPE_CHECKING:
    from pipeline.studies.shares import StudySettings

log = logging.getLogger(__name__)

Row = Any
"""A row as Ray hands it over, a plain dict: VideoRow or SpanRow by content."""


def caught(stage: str, row: Row, work: Callable[[], list[StageRow]]) -> list[StageRow]:
    """What a stage gives, or one row that says why it gave nothing.

    Where the disk is full, the stage is done again once there is room.
    """
    places = [Path(row["work"]), Path(row["output"]).parent]

    def with_files() -> list[StageRow]:
        with files_at_hand(row, stage):
            return work()

    def note() -> Path:
        return note_in(stages.folder_of(row).job_folder)

    return told(stage, row, lambda: with_room(with_files, places, note, row["run"]))


def told(stage: str, row: Row, work: Callable[[], list[StageRow]]) -> list[StageRow]:
    """The same without waiting for room."""
    try:
        return work()
    except (PipelineError, EngineError, KeyframeError) as error:
        line = str(error)
    except OSError as error:
        line = f"{error.strerror or error}: {error.filename or row['work']}"
    except Exception as error:
        log.exception("unexpected error in %s of %s", stage, row["source"])
        line = f"unexpected {type(error).__name__}: {error} (the worker's log has the traceback)"
    number = row.get("number", WHOLE_VIDEO)
    return [stage_row(row["video"], stage, number, error=" ".join(line.split()))]


LOADING_S = 1800.0
"""How long engines may take to load: weights over a slow network, plans that are checked."""
_engines: dict[str, Any] = {}
_failed: dict[str, EngineError] = {}


def loaded(engine: Engine) -> Any:
    """The process's own of a chosen engine; made at first use, so that its error becomes a row."""
    cv2.setNumThreads(1)  # one task per core already; OpenCV's own threads would fight over them
    key = _key(engine)
    if key in _failed:
        raise _failed[key]
    if key not in _engines:
        try:
            _check_granted_gpu(engine)
            _engines[key] = engine.make()
        except EngineError as error:
            _failed[key] = error  # loading took minutes, and ends no better for the next segment
            raise
    return _engines[key]


@contextmanager
def watched_loading(row: Row, stage: str, *engines: Engine) -> Generator[None]:
    """Loading that hangs is a strike against the row that it is for (run_folder/strikes.py)."""
    if all(_key(engine) in _engines for engine in engines):
        yield
        return
    names = ", ".join(engine.name for engine in engines)
    work = work_of(f"load-{stage}", row.get("number", 0))
    with counted_start(stages.folder_of(row), work, f"loading {names}", LOADING_S):
        yield


def loaded_for(row: Row, stage: str, *engines: Engine) -> list[Any]:
    """Engines for a row's work."""
    with watched_loading(row, stage, *engines):
        return [loaded(engine) for engine in engines]


def _key(engine: Engine) -> str:
    return digest_of(engine.kind, engine.identity)


def _check_granted_gpu(engine: Engine) -> None:
    """Refuses to work on the CPU where Ray gave a GPU: a frame would take minutes, in silence.

    Raises:
        EngineUnavailableError: torch finds no GPU here, with its CUDA, the driver, and the mend.
    """
    import ray

    from engines.devices.cuda_fault import cuda_fault

    if not engine.gpu_share or "torch" not in traits_of(engine.kind, engine.name).modules:
        return
    if not (ray.is_initialized() and ray.get_gpu_ids()):
        return
    if (fault := cuda_fault()) is not None:
        raise EngineUnavailableError(
            f"{engine.kind} {engine.name!r}: Ray gave this worker a GPU that torch cannot use: "
            f"{fault}; or run it on the CPU with {option_name(engine.kind, 'device')} cpu"
        )


def inspect_row(
    row: Row, settings: AnalysisSettings, render: RenderSettings | None
) -> list[StageRow]:
    """Task: one video in, its summary and its chunks out."""
    return caught("inspect", row, lambda: stages.inspect_stage(row, settings, render))


def analyse_row(row: Row, settings: AnalysisSettings) -> StageRow:
    """Task: one chunk in, its verdict out."""

    def work() -> list[StageRow]:
        tracker, estimator = loaded_for(row, "analyse", settings.tracker, settings.estimator)
        return [stages.analyse_stage(row, settings, tracker, estimator)]

    return caught("analyse", row, work)[0]


class Analyse:
    """Actor: `analyse_row` for trackers on a GPU, which are worth keeping loaded."""

    def __init__(self, settings: AnalysisSettings) -> None:
        self._settings = settings

    def __call__(self, row: Row) -> StageRow:
        return analyse_row(row, settings=self._settings)


def plan_row(
    row: Row, analysis: AnalysisSettings, settings: RenderSettings | None
) -> list[StageRow]:
    """Task: links a video's chunks; with render settings also evaluates its curve.

    Where shots are found to go on beyond what is analysed, it gives rows of more chunks instead.
    """

    def work() -> list[StageRow]:
        if lacking := stages.lacking_stage(row, analysis, settings):
            return lacking
        (estimator,) = loaded_for(row, "plan", analysis.estimator)
        verdict, faces = stages.assemble_stage(row, analysis, estimator, settings)
        hands = Hands(row["workers"], row["calls"])
        return [verdict, *(stages.plan_stage(row, faces, settings, hands) if settings else [])]

    return caught("plan", row, work)


def finish_row(row: Row, settings: RenderSettings) -> list[StageRow]:
    """Task: one video's pieces become its output."""
    return caught("finish", row, lambda: [stages.finish_stage(row, settings)])


def plot_row(row: Row, analysis: AnalysisSettings, settings: RenderSettings) -> list[StageRow]:
    """Task: pictures beside an output."""

    def work() -> list[StageRow]:
        from pipeline.figures.pictures import (
            plot_stage,  # matplotlib only where a plot is asked for
        )

        tracker, estimator = loaded(analysis.tracker), loaded(analysis.estimator)
        return [plot_stage(row, analysis, settings, tracker, estimator)]

    return caught("plot", row, work)


def qa_row(row: Row, settings: JudgeSettings) -> list[StageRow]:
    """Task: one output judged, its page beside it."""

    def work() -> list[StageRow]:
        from pipeline.figures.verdict_page.stage import qa_stage

        tracker, estimator = loaded(settings.judge.tracker), loaded(settings.judge.estimator)
        return [qa_stage(row, settings, tracker, estimator)]

    return caught("qa", row, work)


def study_row(row: Row, settings: StudySettings) -> StageRow:
    """Task: a share of a study made and measured, its rows on disk; it waits for room as well."""
    place = Path(row["work"])

    def work() -> list[StageRow]:
        return [settings.run(row, *map(loaded, settings.engines))]

    return told("study", row, lambda: with_room(work, [place], lambda: note_in(place), str(place)))[
        0
    ]


class Study:
    """Actor: `study_row` with engines on a GPU."""

    def __init__(self, settings: StudySettings) -> None:
        self._settings = settings

    def __call__(self, row: Row) -> StageRow:
        return study_row(row, settings=self._settings)


_batchers: dict[str, MicroBatcher] = {}
_loading = threading.Lock()


def batcher_of(settings: RenderSettings) -> MicroBatcher:
    """The process's batcher for an editor and a seed, shared by all segments it renders."""
    key = settings.editor_digest
    with _loading:
        if key not in _batchers:
            editor = loaded(settings.editor)
            _batchers[key] = MicroBatcher(editor, seed=settings.seed)
        return _batchers[key]


def is_outdated(settings: RenderSettings) -> bool:
    """Whether an editor made now would run on something faster than this process's does."""
    batcher = _batchers.get(settings.editor_digest)
    return batcher is not None and batcher.is_outdated


def renew_editor(settings: RenderSettings) -> None:
    """Lets go of an outdated editor, so that the next segment makes another; none may use it."""
    with _loading:
        if is_outdated(settings):
            _batchers.pop(settings.editor_digest).retire()
            _engines.pop(_key(settings.editor), None)


def render_row(row: Row, settings: RenderSettings) -> StageRow:
    """Task: one segment in, its verdict out; decode → edit → encode."""

    def work() -> list[StageRow]:
        with watched_loading(row, "render", settings.editor):
            batcher = batcher_of(settings)
        return [stages.render_stage(row, settings, batcher, wider)]

    def wider(error: NumericOverflowError) -> MicroBatcher:
        changed = {**settings.editor.settings, **error.remedy}
        return batcher_of(replace(settings, editor=replace(settings.editor, settings=changed)))

    return caught("render", row, work)[0]


class Render:
    """Actor: `render_row` for editors on a GPU, several segments at once, one editor for all."""

    def __init__(self, settings: RenderSettings) -> None:
        self._settings = settings
        self._gate = Gate()
        self._counts = ActorCounts(counter())

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        row: Row = {name: values[0] for name, values in batch.items()}
        row |= {name: int(row[name]) for name in ("number", "first", "last")}
        if is_outdated(self._settings):
            with self._gate.alone():  # the segments inside end as they began
                renew_editor(self._settings)
        struck = bool(stages.folder_of(row).strikes(work_of("render", row["number"])))
        with self._gate.alone() if struck else self._gate.shared():
            verdict = render_row(row, settings=self._settings)
        if batcher := _batchers.get(self._settings.editor_digest):
            places = batcher.calls * batcher.batch_size
            self._counts.tell(batcher.busy_s, batcher.crops, places)
        return {name: [value] for name, value in verdict.items()}
