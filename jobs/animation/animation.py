"""What `animate` does with its options: look up and check everything, then run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console

from jobs.animation.announcing import announce
from jobs.animation.call import (
    Call,
    checked,
    doers,
    refuse_a_single_standing_output,
    standing_output,
    with_request,
)
from jobs.animation.claims import Claimed, claim_outputs
from jobs.animation.dry_run import describe
from jobs.animation.rates import remember
from jobs.command_line.event_log import event_places
from jobs.command_line.failures import retry_command, write_failures
from jobs.command_line.inputs import Refused
from jobs.command_line.options.animate import AnimateOptions
from jobs.command_line.progress import console, first_of
from jobs.command_line.report import Ledger, Report, told_of
from jobs.command_line.stopping import stoppable
from jobs.errors import JobError
from jobs.evaluation.judges import best_judge
from jobs.evaluation.pages import tell_pages
from jobs.ray_cluster import cluster
from jobs.ray_cluster.nodes import RayNodes
from jobs.ray_cluster.shared_storage import check_shared
from pipeline.edit.lending.own import are_own
from pipeline.figures.beside import files_beside
from pipeline.files import names_in, stands
from pipeline.media.read.decoding.reader import choose_reader
from pipeline.rows import VideoRow
from pipeline.run_folder.lease import Run
from pipeline.run_folder.own_curve import keep_curve
from pipeline.run_folder.store import written_folders
from pipeline.settings import JudgeSettings

TOLD = 20
"""Entries that cannot be made which are told one by one before the work."""


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
    token, place = uuid4().hex[:12], Path(call.videos[0]["work"])
    with stoppable(), Run(token, place) as run, cluster.ended_when_stopped():
        claimed = claim_outputs(call, run)
        run.writes_in(*written_folders(claimed.videos))
        report = _run_claimed(call, claimed, screen)
        run.writes_in(*written_folders(_unmade(claimed.videos, report)))
        return report


def _unmade(videos: list[VideoRow], report: Report) -> list[VideoRow]:
    """Those whose last stage, which tidies up after them, has not been reached."""
    made = {video.output for video in report.videos if video.status != "failed"}
    return [video for video in videos if video["output"] not in made]


def _run_claimed(call: Call, claimed: Claimed, screen: Console) -> Report:
    for note in call.shots.notes:
        screen.print(f"note: {note}")
    tell_refused(call.shots.refused, screen)
    cluster.start()
    stays = not check_shared(claimed.videos)
    if stays:
        say_that_videos_stay(call, screen)
    for engine in call.engines.values():
        announce(screen, engine)
    nodes = RayNodes(screen.print, waits=call.options.wait_for_plans)
    with ExitStack() as ended:
        for engine in call.engines.values():
            ended.callback(engine.prepare(nodes))
        refused = [*call.shots.refused, *claimed.busy]
        return _run(call.having(videos=claimed.videos, refused=refused), screen, stays=stays)


def say_that_videos_stay(call: Call, screen: Console) -> None:
    """Says that each video stays on the node that begins it, for want of a shared run folder.

    Raises:
        JobError: what then cannot be: pools of GPUs, curves by row, and driving videos.
    """
    work = call.videos[0]["work"]
    needs = [f"{engine.name} on GPUs" for engine in call.engines.values() if engine.gpu_share]
    needs += ["a manifest with several curves"] if call.sheet is None else []
    needs += ["a driving video"] if any(s.videos() for s in call.shots.sheets.values()) else []
    for what in needs:
        raise JobError(
            f"the nodes do not share {work}; {what} needs that: give --work on storage they share"
        )
    screen.print(f"each video stays on the node that begins it: the nodes do not share {work}")


def tell_refused(refused: Sequence[Refused], screen: Console) -> None:
    """Says before the work what will not be made; the report has all of it."""
    for entry in refused[:TOLD]:
        screen.print(f"not made: {entry.line}", style="bold yellow")
    if len(refused) > TOLD:
        screen.print(f"not made: {len(refused) - TOLD} more; the report says why")


def _run(call: Call, screen: Console, *, stays: bool) -> Report:
    from jobs.animation.driving import measured
    from jobs.animation.run import run_job
    from pipeline.flow.order import after_each
    from pipeline.graph import Job

    call = measured(call, Job(call.analysis, None, stays=stays), screen)
    refuse_a_single_standing_output(call)
    ledger = Ledger(call.videos, "animate", call.shots.refused, call.shots.asked)
    todo = with_curves(
        call, [with_request(call, v) for v in call.videos if _is_open(call, v, ledger)]
    )
    qa = judge_settings(call) if call.options.qa else None
    job = Job(call.analysis, call.render, qa, stays, after_each(call.videos))
    settings = resolved_settings(call)

    def publish(seconds: float, unended: str = "") -> Report:
        report = ledger.report(settings, seconds, unended)
        if unended:
            report.write(call.report)
        else:
            report.write_or_keep(call.report, Path(call.videos[0]["work"]))
        options = call.options
        write_failures(report, call.report, unended, options.manifest, options.only)
        return report

    places = event_places(call.options.log_json, call.options.timeline, call.videos)
    report = run_job(todo, job, ledger, screen, publish, places, call.report)
    remember(ledger.timed, doers(call), call.gpu_kinds)
    for line in first_of(closing_lines(report), call.report):
        screen.print(line)
    screen.print(f"report: {call.report}")
    if qa is not None:
        tell_pages(
            [Path(video["output"]) for video in todo], call.report, screen.print, call.options.only
        )
    if first := open_first(report):
        screen.print(f"open first: {first}")
    if report.failed:
        again = retry_command(call.options, call.report)
        screen.print(f"{len(report.failed)} failed; only those again: {again}", soft_wrap=True)
    return report


def with_curves(call: Call, videos: list[VideoRow]) -> list[VideoRow]:
    """The rows, each told where its own curve is kept; as they are where all have one."""
    if call.sheet is not None:
        return videos
    work = Path(call.videos[0]["work"])
    used = {call.shots.asked[video["video"]] for video in videos}
    kept = {asked: keep_curve(call.shots.sheets[asked], work) for asked in used}
    return [{**video, "curve": kept[call.shots.asked[video["video"]]]} for video in videos]


def closing_lines(report: Report) -> list[str]:
    """Where everything lies that was made: videos, and the plot, sheet and table beside them."""
    lines: list[str] = []
    made = [video for video in report.videos if video.status != "failed"]
    there = {folder: names_in(folder) for folder in {Path(video.output).parent for video in made}}
    for video in made:
        output = Path(video.output)
        beside = {"video": output, **files_beside(output)}
        names = there[output.parent]
        lines += [f"face: {line}" for line in video.people]
        lines += [f"{what}: {path}" for what, path in beside.items() if path.name in names]
        lines += [f"beside it: {path}" for path in video.elements]
    return lines


def open_first(report: Report) -> Path | None:
    """What to look at first: before and after in one video where that was made, else a video."""
    made = [Path(video.output) for video in report.videos if video.status != "failed"]
    pairs = (files_beside(output)["before and after"] for output in made)
    return next((pair for pair in pairs if stands(pair)), made[0] if made else None)


def judge_settings(call: Call) -> JudgeSettings:
    """How a call's outputs are judged: by LibreFace where its weights are, else as it measured."""
    return JudgeSettings(
        best_judge(call.analysis),
        call.sheet,
        editor=call.editor.name,
        encode_preset=call.render.encode_preset,
        planner=call.analysis,
        crop_size=call.editor.crop_size,
        own_units=are_own(call.editor.settings),
        only=call.render.only,
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
        **_resolved_curves(call),
        "engines": {kind: told_of(engine) for kind, engine in call.engines.items()},
        "reader": choose_reader(call.options.reader)._asdict(),
    }


def _resolved_curves(call: Call) -> dict[str, Any]:
    """The one curve, or all by their digests, which the videos' lines name."""
    if call.sheet is not None:
        return {"curve": call.sheet.resolved()}
    return {"curves": {sheet.digest: sheet.resolved() for sheet in call.shots.sheets.values()}}
