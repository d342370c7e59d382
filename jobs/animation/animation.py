"""What `animate` does with its options: look up and check everything, then run."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console

from jobs.animation.announcing import announce
from jobs.animation.call import (
    Call,
    checked,
    refuse_a_single_standing_output,
    standing_output,
    with_request,
)
from jobs.animation.claims import Claimed, claim_outputs
from jobs.animation.dry_run import describe
from jobs.animation.stopping import stoppable
from jobs.command_line.event_log import event_places
from jobs.command_line.inputs import Refused
from jobs.command_line.options import AnimateOptions
from jobs.command_line.progress import console
from jobs.command_line.report import Ledger, Report, told_of
from jobs.evaluation.judges import best_judge
from jobs.evaluation.pages import tell_pages
from jobs.ray_cluster import cluster
from jobs.ray_cluster.nodes import RayNodes
from jobs.ray_cluster.shared_storage import check_shared
from pipeline.figures.beside import files_beside
from pipeline.lease import Run
from pipeline.media.read.reader import choose_reader
from pipeline.rows import VideoRow
from pipeline.settings import JudgeSettings


def run_animation(options: AnimateOptions) -> int:
    """Checks and runs a call; exit status 0, or 1 when a video failed.

    Raises:
        JobError, KeyframeError, EngineError, PipelineError: the call itself is wrong.
    """
    screen = console()
    call = checked(options, screen.print)
    if options.dry_run:
        return describe(call, screen)
    report = run_call(call, screen)
    return 1 if report.failed else 0


def run_call(call: Call, screen: Console) -> Report:
    """Runs a checked call to its end, shown on a screen.

    Raises:
        JobError, EngineError: its one output stands already; a driving video cannot be measured;
            an engine that was named cannot get ready; another run is writing its outputs.
    """
    with stoppable(), Run(uuid4().hex[:12], Path(call.videos[0]["work"])) as run:
        return _run_claimed(call, claim_outputs(call, run), screen)


def _run_claimed(call: Call, claimed: Claimed, screen: Console) -> Report:
    for note in call.notes:
        screen.print(f"note: {note}")
    cluster.start()
    check_shared(claimed.videos)
    for engine in call.engines.values():
        announce(screen, engine)
    nodes = RayNodes(screen.print, waits=call.options.wait_for_plans)
    with ExitStack() as ended:
        for engine in call.engines.values():
            ended.callback(engine.prepare(nodes))
        return _run(replace(call, videos=claimed.videos), claimed.busy, screen)


def _run(call: Call, busy: list[Refused], screen: Console) -> Report:
    from jobs.animation.driving import with_driving_videos
    from jobs.animation.run import run_job
    from pipeline.graph import Job

    analysis = Job(call.analysis, None, call.gpus)
    work = Path(call.videos[0]["work"])
    call = call.with_sheet(with_driving_videos(call.sheet, work, analysis, screen))
    refuse_a_single_standing_output(call)
    ledger = Ledger(call.videos, "animate", [*call.refused, *busy])
    todo = [with_request(call, v) for v in call.videos if _is_open(call, v, ledger)]
    qa = judge_settings(call) if call.options.qa else None
    job = Job(call.analysis, call.render, call.gpus, qa)
    settings = resolved_settings(call)

    def publish(seconds: float, unended: str = "") -> Report:
        report = ledger.report(settings, seconds, unended)
        report.write(call.report)
        return report

    places = event_places(call.options.log_json, call.options.timeline, call.videos)
    report = run_job(todo, job, ledger, screen, publish, places)
    for line in closing_lines(report):
        screen.print(line)
    screen.print(f"report: {call.report}")
    if qa is not None:
        tell_pages([Path(video["output"]) for video in todo], call.report, screen.print)
    if first := open_first(report):
        screen.print(f"open first: {first}")
    return report


def closing_lines(report: Report) -> list[str]:
    """Where everything lies that was made: videos, and the plot, sheet and table beside them."""
    lines: list[str] = []
    for video in report.videos:
        if video.status == "failed":
            continue
        output = Path(video.output)
        made = {"video": output, **files_beside(output)}
        lines += [f"face: {line}" for line in video.people]
        lines += [f"{what}: {path}" for what, path in made.items() if path.is_file()]
        lines += [f"beside it: {path}" for path in video.elements]
    return lines


def open_first(report: Report) -> Path | None:
    """What to look at first: before and after in one video where that was made, else a video."""
    made = [Path(video.output) for video in report.videos if video.status != "failed"]
    pairs = [
        pair for output in made if (pair := files_beside(output)["before and after"]).is_file()
    ]
    return next(iter((*pairs, *made)), None)


def judge_settings(call: Call) -> JudgeSettings:
    """How a call's outputs are judged: by LibreFace where its weights are, else as it measured."""
    return JudgeSettings(
        best_judge(call.analysis),
        call.sheet,
        editor=call.editor.name,
        encode_preset=call.render.encode_preset,
        planner=call.analysis,
    )


def _is_open(call: Call, video: VideoRow, ledger: Ledger) -> bool:
    stands = standing_output(call, video)
    if stands == "":
        ledger.skip(video["video"], "up to date: made by the same curve and settings")
    elif stands:
        ledger.fail(video["video"], "plan", stands)
    return stands is None


def resolved_settings(call: Call) -> dict[str, Any]:
    """What the report says of the call, with every default and lookup filled in."""
    return {
        "options": call.options.model_dump(mode="json"),
        "encode_preset": call.render.encode_preset,
        "curve": call.sheet.resolved(),
        "engines": {kind: told_of(engine) for kind, engine in call.engines.items()},
        "reader": choose_reader(call.options.reader)._asdict(),
    }
