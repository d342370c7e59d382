"""Jobs of a single stage: outputs that are there already, and shares of studies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pipeline import actors
from pipeline.flow.flow import Flow, Place
from pipeline.flow.places import for_study
from pipeline.flow.tasks import Tasks
from pipeline.rows import StageRow, StudyRow, VideoRow
from pipeline.settings import JudgeSettings
from pipeline.studies.shares import StudySettings

OnRow = Callable[[StageRow], None]


def evaluate(videos: list[VideoRow], settings: JudgeSettings, on_row: OnRow) -> None:
    """Judges outputs that are there already, a task per video."""
    _run_alone(Tasks("qa", actors.qa_row, settings), videos, on_row)


def study(rows: list[StudyRow], settings: StudySettings, gpus: float, on_row: OnRow) -> None:
    """Makes and measures the shares of a study; every verdict goes to `on_row`."""
    _run_alone(for_study(settings, gpus), rows, on_row)


def _run_alone(place: Place, rows: Iterable[Any], on_row: OnRow) -> None:
    flow = Flow()

    def told(landed: list[StageRow]) -> None:
        for row in landed:
            on_row(row)

    stage = flow.stage(place, told)
    for row in rows:
        stage.put(row)
    flow.run()
