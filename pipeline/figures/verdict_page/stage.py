"""Judging an output from its files: clips measured, verdict reached, page and JSON beside it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.interface import AUEstimator, FaceTracker
from pipeline.edit.plan import addressed
from pipeline.errors import PipelineError
from pipeline.faces.faces import Analysis
from pipeline.faces.recognise import recognise
from pipeline.faces.sightings import NOBODY, Who
from pipeline.faces.table import read_analysis, read_covered
from pipeline.figures.verdict_page.images import thumb_of
from pipeline.figures.verdict_page.page import write_verdict_page
from pipeline.files import write_json
from pipeline.inspected import bounds_of, part_of
from pipeline.media.read.inspection import inspect_video
from pipeline.quality.clip import Clip, check_same_shot, measure
from pipeline.quality.evaluate import ShotVerdict, evaluate_shot
from pipeline.quality.metric import METRICS
from pipeline.quality.question import Question, strongest_frame
from pipeline.quality.told import as_json
from pipeline.rows import StageRow, VideoRow, stage_row
from pipeline.run_folder.own_curve import kept_curve
from pipeline.settings import JudgeSettings
from pipeline.stages import Stopwatch, folder_of, reached


def page_beside(output: Path, face: int = 0, first: int = 0) -> Path:
    """Where a verdict's page lies when nobody says otherwise."""
    return output.with_suffix(".qa.html" if face == first else f".qa.face{face}.html")


def qa_stage(
    row: VideoRow, settings: JudgeSettings, tracker: FaceTracker, estimator: AUEstimator
) -> StageRow:
    """Judges one output, a page and a JSON file per face; a note says what wants a look."""
    clock = Stopwatch()
    folder = folder_of(row)
    stored = folder.analysis(settings.judge.digest)
    planned = folder.analysis(settings.planner.digest) if settings.planner else None
    if row["curve"]:
        settings = replace(settings, sheet=kept_curve(row))
    parts = row["source"], row["output"], stored, settings, tracker, estimator, planned
    verdicts = judge(*parts, row["view"])
    notes = [
        f"{Path(row['output']).name}, face {v.question.face}: {v.warnings} of "
        f"{len(v.findings)} checks want a look"
        for v in verdicts
        if v.warnings
    ]
    return stage_row(row["video"], "qa", **clock.read(), notes="\n".join(notes))


def judge(
    source: str,
    output: str,
    stored: Path | None,
    settings: JudgeSettings,
    tracker: FaceTracker,
    estimator: AUEstimator,
    planned: Path | None = None,
    view: str = "",
) -> list[ShotVerdict]:
    """Measures and judges an output, and writes its pages.

    Args:
        stored: the source's analysis by the same engines, if it is there already.
        planned: the source's analysis that the edit was planned with, if it is still there.
        view: what judges are shown of both, of `checked_view`.
    Raises:
        PipelineError: not the same shot, or no face.
    """
    whole, after = (inspect_video(path, view) for path in (source, output))
    bounds, before = bounds_of(whole, settings.only), part_of(whole, settings.only)
    check_same_shot(before, after)
    wanted = np.zeros(whole.frames, bool)
    wanted[bounds[0] : bounds[1] + 1] = True
    if settings.sheet is not None:
        wanted &= reached(settings.sheet.reach(whole.timeline), whole)
    faces = _stored(stored, wanted, bounds) or measure(
        before, tracker, estimator, moments=settings.judge.moments
    )
    plate = Clip(before, faces)
    edit = Clip(after, measure(after, tracker, estimator, faces))
    if not len(faces.frame):
        raise PipelineError(f"{source}: no face was found; there is nothing to judge")
    plan = _stored(planned, wanted, bounds)
    planner = settings.planner.estimator.name if settings.planner else ""
    verdicts = []
    who = recognise(before, faces.by_frame, settings.sheet) if settings.sheet else NOBODY
    wanted = _faces(settings, faces, who)
    for face in wanted:
        question = Question(
            settings.sheet, face, settings.judge.estimator.name, settings.editor,
            settings.encode_preset, who, planner, settings.crop_size, settings.own_units,
        )  # fmt: skip
        asked_of = plan.intensity_over_time(face) if plan else None
        verdict = evaluate_shot(plate, edit, question, asked_of)
        place = settings.pages.get(output)
        page = Path(place) if place else page_beside(Path(output))
        if face != wanted[0]:
            page = page.with_suffix(f".face{face}{page.suffix}")
        write_verdict_page(page, verdict, before, after)
        write_json(page.with_suffix(".json"), summary_of(verdict, page))
        verdicts.append(verdict)
    return verdicts


def _stored(
    path: Path | None, wanted: NDArray[np.bool_], bounds: tuple[int, int]
) -> Analysis | None:
    """What is kept of the shots that hold any of the wanted `(N,)` frames, if all of them are; of
    the frames that are shown."""
    covered = None if path is None else read_covered(path)
    if path is None or covered is None or not covered[wanted].all():
        return None
    return read_analysis(path).around(wanted).part(*bounds)


def _faces(settings: JudgeSettings, analysis: Analysis, who: Who) -> tuple[int, ...]:
    wanted = settings.faces
    if not wanted and settings.sheet is not None:
        wanted = addressed(settings.sheet, analysis.faces, who)
        if not wanted:
            raise PipelineError("nobody whom the curve names is in it; there is nothing to judge")
    known = np.unique(analysis.track).tolist()
    found = tuple(face for face in wanted or (0,) if face in known)
    if not found:
        raise PipelineError(f"face {wanted[0] if wanted else 0}: not found; known: {known}")
    return found


def summary_of(verdict: ShotVerdict, page: Path) -> dict[str, object]:
    """The JSON beside a page; an index is made of these."""
    engines = {"expression": "face-api 1.7.15", "identity": "dlib ResNet, face-api 1.7.15"}
    return {
        **as_json(verdict),
        "page": page.name,
        "thumb": thumb_of(verdict.series.stills, strongest_frame(verdict.requested)),
        "judges": engines,
        "metrics": [asdict(metric) for metric in METRICS],
    }
