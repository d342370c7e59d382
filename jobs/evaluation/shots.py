"""`evaluate SOURCE OUTPUT` in this process, and `evaluate --run report.json` on Ray."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from engines.choice import resolve
from engines.errors import EngineError
from jobs.command_line.curves import Curves
from jobs.command_line.inputs import Asked
from jobs.command_line.options.evaluate import JudgeOptions
from jobs.command_line.places import check_file_place
from jobs.command_line.progress import console
from jobs.errors import JobError
from jobs.evaluation.judges import judging_estimator
from jobs.evaluation.pages import tell_pages
from jobs.ray_cluster import cluster
from keyframes.clock.part import parse_part
from keyframes.load import load_sheet
from keyframes.sheet import KeyframeSheet
from pipeline.edit.lending.own import are_own
from pipeline.files import state_of
from pipeline.media.views.choice import BY_TAGS, checked_view
from pipeline.rows import StageRow, VideoRow
from pipeline.run_folder.own_curve import keep_curve
from pipeline.run_folder.store import VideoFolder, video_row
from pipeline.settings import AnalysisSettings, JudgeSettings
from pipeline.source import at_hand
from pipeline.storage.copies import fetch
from pipeline.storage.urls import here, path_of, state_beside, told

WithVideos = Callable[[KeyframeSheet, Path, AnalysisSettings, Console], KeyframeSheet]
"""Measures the driving videos that a sheet names, with its work folder and by those engines."""


def evaluate_pair(source: str, output: str, options: JudgeOptions, with_videos: WithVideos) -> int:
    """Judges one output in this process; exit status 0, or 1 when something wants a look.

    Args:
        with_videos: as WithVideos says; only a sheet with driving videos starts Ray for it.

    Raises:
        JobError, KeyframeError, EngineError, PipelineError: the call itself is wrong.
    """
    screen = console()
    plate, made = path_of(source), path_of(output)
    for path in (plate, made):
        if state_of(path) is None:
            where = told(str(path))
            raise JobError(f"{where}: no such file; expected SOURCE and OUTPUT, two videos")
    page = Path(options.html).expanduser().absolute() if options.html else None
    work = Path(options.work).expanduser() if options.work else state_beside(made.parent)
    settings = _with_sheet(_settings(options), work.absolute(), with_videos, screen)
    if page is not None:
        if page.suffix != ".html":
            raise JobError(f"--html {options.html}: expected a name ending in .html")
        check_file_place(page, "--html")
        settings = replace(settings, pages={str(made): str(page)})
    from pipeline.actors import loaded
    from pipeline.figures.verdict_page.stage import judge, page_beside

    tracker, estimator = loaded(settings.judge.tracker), loaded(settings.judge.estimator)
    view = checked_view(options.view)
    stored = _stored(video_row(plate, made, work.absolute(), view=view), settings)
    parts = str(plate), str(made), stored, settings, tracker, estimator
    with ExitStack() as held:
        for path in (plate, made):
            held.enter_context(at_hand(str(path), "", options.cache_size))
        verdicts = judge(*parts, view=view)
    screen.print(f"judge: {settings.judge.estimator.name} ({settings.judge.estimator.reason})")
    for verdict in verdicts:
        for finding in verdict.findings:
            screen.print(f"{finding.mark:5}{finding.key:12}{finding.text}")
    screen.print(f"verdict: {page or page_beside(made)}")
    return 1 if any(verdict.warnings for verdict in verdicts) else 0


def _settings(options: JudgeOptions) -> JudgeSettings:
    tracker = resolve("tracker", options.tracker, options.tracker_options.given())
    estimator = judging_estimator(options.au, options.au_options.given())
    return JudgeSettings(
        AnalysisSettings(tracker, estimator),
        load_sheet(str(fetch(Path(options.curve)))) if options.curve else None,
        () if options.face is None else (options.face,),
        options.made_by,
        "medium" if options.preset_encode == "auto" else options.preset_encode,
        only=parse_part(options.only) if options.only else None,
    )


def _with_sheet(
    settings: JudgeSettings, work: Path, with_videos: WithVideos, screen: Console
) -> JudgeSettings:
    if settings.sheet is None:
        return settings
    engines = settings.planner or settings.judge
    return replace(settings, sheet=with_videos(settings.sheet, work, engines, screen))


def _stored(row: VideoRow, settings: JudgeSettings) -> Path | None:
    stored = VideoFolder.of(row).analysis(settings.judge.digest)
    return stored if stored.is_file() else None


def evaluate_run(report_of_run: str, options: JudgeOptions, with_videos: WithVideos) -> int:
    """Judges all outputs of a run, a task each, and writes their index; 1 when one failed.

    Args:
        with_videos: as WithVideos says.

    Raises:
        JobError: no readable report, or nothing in it was made.
    """
    report_path = path_of(report_of_run)
    report = _read_report(fetch(report_path))
    rows = _rows(report, options)
    settings = _settings_of_run(report, options)
    screen = console()
    cluster.start()
    settings = _with_sheet(settings, Path(rows[0]["work"]), with_videos, screen)
    if settings.sheet is None:
        rows = _with_own_curves(rows, report, settings, with_videos, screen)
    from pipeline.flow.alone import evaluate

    outputs_of = {row["video"]: row["output"] for row in rows}
    failed: set[str] = set()

    def on_row(row: StageRow) -> None:
        name = outputs_of[row["video"]]
        told = row["error"] or row["notes"] or f"{Path(name).name}: nothing wants a look"
        screen.print(told)
        failed.update([name] if row["error"] else [])

    evaluate(rows, settings, on_row)
    outputs = [Path(row["output"]) for row in rows if row["output"] not in failed]
    place = Path(options.html).expanduser().absolute() if options.html else report_path
    tell_pages(outputs, place, screen.print)
    return 1 if failed else 0


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text("utf-8"))
        known = bool(report["videos"] and report["settings"]["engines"]["editor"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        raise JobError(f"--run {path}: got no report of a run; expected its report.json") from None
    if not known:
        raise JobError(f"--run {path}: its run made nothing")
    return report


def _rows(report: dict[str, Any], options: JudgeOptions) -> list[VideoRow]:
    rows: list[VideoRow] = []
    for entry in report["videos"]:
        if entry["status"] == "failed":
            continue
        source, output = path_of(entry["input"]), path_of(entry["output"])
        if state_of(source) is None or state_of(output) is None:
            continue
        own = Path(options.work).expanduser().absolute() if options.work else None
        work = own or state_beside(output.parent)
        said = entry.get("view", "") if options.view == BY_TAGS else options.view
        view, cache = checked_view(said or BY_TAGS), options.cache_size
        rows.append(video_row(source, output, work, view=view, cache=cache))
    if not rows:
        raise JobError(f"--run {options.run}: not one of its outputs is there to be judged")
    return rows


def _with_own_curves(
    rows: list[VideoRow],
    report: dict[str, Any],
    settings: JudgeSettings,
    with_videos: WithVideos,
    screen: Console,
) -> list[VideoRow]:
    """The rows of a manifest's run, each told where its own curve is kept."""
    work = Path(rows[0]["work"])
    asked = {
        v["output"]: Asked(*(v.get(name, "") for name in Asked._fields)) for v in report["videos"]
    }
    curves = Curves(settings.editor)
    kept: dict[Asked, str] = {}
    for one in {asked[row["output"]] for row in rows}:
        own = _with_sheet(replace(settings, sheet=curves.of(one)), work, with_videos, screen)
        kept[one] = keep_curve(own.sheet, work) if own.sheet else ""
    return [{**row, "curve": kept[asked[row["output"]]]} for row in rows]


def _settings_of_run(report: dict[str, Any], options: JudgeOptions) -> JudgeSettings:
    told = report["settings"]
    has_one = "curve" in told
    curve = options.curve or (told["options"]["curve"] if has_one else None)
    only = options.only or told["options"].get("only")
    judging = _settings(options)
    return replace(
        judging,
        judge=replace(judging.judge, moments=told["options"].get("fields", "auto")),
        only=parse_part(only) if only else None,
        sheet=load_sheet(str(fetch(Path(here(curve))))) if curve else None,
        editor=options.made_by or told["engines"]["editor"]["name"],
        encode_preset=told["encode_preset"],
        planner=_planner(told),
        crop_size=told["engines"]["editor"].get("crop_size", 512),
        own_units=are_own(told["engines"]["editor"].get("settings", {})),
    )


def _planner(told: dict[str, Any]) -> AnalysisSettings | None:
    """The engines that the run measured with; None where they can't run here any more."""
    try:
        tracker, estimator = (
            resolve(kind, told["engines"][kind]["name"], told["engines"][kind]["settings"])
            for kind in ("tracker", "AU estimator")
        )
        moments = told["options"].get("fields", "auto")
        return AnalysisSettings(tracker, estimator, told["reader"]["name"], moments=moments)
    except (EngineError, KeyError):
        return None
