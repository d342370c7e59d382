"""What `jobs/animate.py` does with its options: resolve everything first, then run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from engines import registry
from jobs.animation.choose import Chosen, analysis_settings, check_named, choose
from jobs.command_line.inputs import expand_inputs, output_paths, refuse_working_copy, video_rows
from jobs.command_line.options import AnimateOptions
from jobs.command_line.progress import console
from jobs.command_line.report import Ledger, Report
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from keyframes.load import load_sheet
from keyframes.sheet import KeyframeSheet
from pipeline.media.write.containers import muxer_of
from pipeline.rows import VideoRow
from pipeline.settings import AnalysisSettings, RenderSettings, digest_of
from pipeline.store import VideoFolder, up_to_date

if TYPE_CHECKING:
    from pipeline.graph import (
        Resources,  # late at run time: jobs.ray_cluster.cluster speaks to Ray first
    )

DEMO_FOLDER = Path("~/aureel/demo")


@dataclass(frozen=True)
class Request:
    """A call with nothing left to look up."""

    sheet: KeyframeSheet
    videos: list[VideoRow]
    report: Path
    plot: bool
    is_demo: bool


def run_animation(options: AnimateOptions) -> int:
    """Resolves, chooses, runs; exit status 0, or 1 when a video failed.

    Raises:
        JobError, KeyframeError, EngineError, PipelineError: the call itself is wrong.
    """
    screen = console()
    request = resolve(options)
    if options.dry_run:
        from jobs.animation.dry_run import describe

        return describe(request, options, screen)
    for kind, (name, settings, _) in wanted_engines(options).items():
        check_named(kind, name, settings)  # said at once, not after Ray has started
    cluster.start()
    cpus, gpus = cluster.size()
    chosen = choose_engines(options, gpus)
    for kind, engine in chosen.items():
        announce(screen, kind, engine)
    if gpus and chosen["editor"].choice.name == "magicface":
        from jobs.trt_building.cluster import build_before_actors

        build_before_actors(chosen["editor"].choice.settings, say=screen.print)
    return _run(request, options, chosen, cpus, gpus, screen)


def resolve(options: AnimateOptions) -> Request:
    """Looks up the curve, the inputs and every path; makes the demo clip when nothing is given."""
    sheet = load_sheet(options.curve)
    named = options.inputs or sheet.input
    is_demo = not named
    inputs = [_demo_clip()] if is_demo else expand_inputs(named)
    outputs = output_paths(inputs, options.output or sheet.output, sheet.name)
    if len(outputs) == 1:
        muxer_of(str(outputs[0]))  # of several, each video's row in the report says it
    report = (
        Path(options.report).expanduser() if options.report else outputs[0].parent / "report.json"
    )
    refuse_working_copy(report.absolute())
    plot = is_demo if options.plot is None else options.plot
    videos = video_rows(inputs, outputs, options.work)
    return Request(sheet, videos, report.absolute(), plot, is_demo)


def _demo_clip() -> Path:
    from pipeline.demo.clip import make_demo_clip

    path = DEMO_FOLDER.expanduser() / "demo.mp4"
    return path if path.is_file() else make_demo_clip(path)


def wanted_engines(
    options: AnimateOptions,
) -> dict[str, tuple[str, dict[str, Any], tuple[str, ...]]]:
    """Each kind's name as asked for, its settings, and what `auto` tries in turn."""
    au_settings = {"weights": options.au_weights} if options.au_weights else {}
    return {
        "editor": (options.engine, options.editor.given(), ("magicface", "previz")),
        "tracker": (options.tracker, {}, ("fan", "mesh")),
        "AU estimator": (options.au, au_settings, ("libreface", "mesh")),
    }


def choose_engines(options: AnimateOptions, gpus: float) -> dict[str, Chosen]:
    """Editor, tracker and estimator, each with the reason it was taken."""
    return {
        kind: choose(kind, name, settings, order, gpus)
        for kind, (name, settings, order) in wanted_engines(options).items()
    }


def announce(screen: Console, kind: str, engine: Chosen) -> None:
    """Says which engine was taken and why; loudly when the result is only a preview."""
    line = f"{kind}: {engine.choice.name} ({engine.reason})"
    if kind == "editor" and registry.entry(kind, engine.choice.name).is_preview:
        line += "\nThis is a PREVIEW: it shows timing and direction, not wrinkles, teeth or skin."
        screen.print(line, style="bold yellow")
        return
    screen.print(line)


def _run(
    request: Request,
    options: AnimateOptions,
    chosen: dict[str, Chosen],
    cpus: int,
    gpus: float,
    screen: Console,
) -> int:
    from jobs.animation.driving import with_driving_videos
    from jobs.animation.run import run_job
    from pipeline.graph import Job

    analysis = analysis_settings(chosen["tracker"], chosen["AU estimator"])
    alone = Job(analysis, None, resources(chosen, cpus, gpus))
    work = Path(request.videos[0]["work"])
    sheet = with_driving_videos(request.sheet, work, alone, analysis, screen)
    request = replace(request, sheet=sheet)
    render = render_settings(request, options, chosen["editor"])
    digests = {v["video"]: request_digest(v, analysis, render) for v in request.videos}
    ledger = Ledger(request.videos, "animate")
    todo = [v for v in request.videos if _is_open(v, digests, options, ledger)]
    settings = resolved_settings(request, options, chosen, render)

    def publish(seconds: float) -> Report:
        report = ledger.report(settings, seconds)
        report.write(request.report)
        return report

    job = replace(alone, render=render, request_digests=digests)
    status = run_job(todo, job, ledger, screen, publish)
    screen.print(f"report: {request.report}")
    return status


def resources(chosen: dict[str, Chosen], cpus: int, gpus: float) -> Resources:
    """What the cluster has, and the GPU share each chosen engine takes."""
    from pipeline.graph import Resources

    on_gpu = {kind: gpus > 0 and _wants_gpu(kind, c) for kind, c in chosen.items()}
    measures_on_gpu = on_gpu["tracker"] or on_gpu["AU estimator"]
    return Resources(
        cpus,
        gpus,
        analysis_gpus=0.5 if measures_on_gpu else 0.0,
        editor_gpus=1.0 if on_gpu.get("editor") else 0.0,
    )


def _wants_gpu(kind: str, chosen: Chosen) -> bool:
    return registry.entry(kind, chosen.choice.name).wants_gpu


def render_settings(request: Request, options: AnimateOptions, editor: Chosen) -> RenderSettings:
    """The pipeline's settings for this request."""
    entry = registry.entry("editor", editor.choice.name)
    return RenderSettings(
        sheet=request.sheet,
        editor=editor.choice,
        crop_size=registry.crop_size(editor.choice.name, editor.choice.settings),
        seconds_per_edit=entry.seconds_per_edit,
        encode_preset=encode_preset(options.preset_encode, entry.is_preview),
        seed=options.seed,
        overwrite=options.overwrite,
        plot=request.plot,
    )


def encode_preset(asked: str, is_preview: bool) -> str:
    """The encoder's effort; medium would take 12 of a preview's 29 CPU-ms per 512 px frame."""
    if asked != "auto":
        return asked
    return "veryfast" if is_preview else "medium"


def request_digest(video: VideoRow, analysis: AnalysisSettings, render: RenderSettings) -> str:
    """Names everything an output depends on."""
    return digest_of(video["video"], analysis.digest, render.sheet.digest, render.engine_digest)


def _is_open(
    video: VideoRow, digests: dict[str, str], options: AnimateOptions, ledger: Ledger
) -> bool:
    output = Path(video["output"])
    folder = VideoFolder.of(video["work"], video["video"], video["output"])
    if options.overwrite or not output.exists():
        return True
    if up_to_date(folder, output, digests[video["video"]]):
        ledger.skip(video["video"], "up to date: made by the same curve and settings")
        return False
    error = f"{output} exists and was not made by this curve and these settings; pass --overwrite"
    if len(ledger.entries) == 1:
        raise JobError(error)
    ledger.fail(video["video"], "plan", error)
    return False


def resolved_settings(
    request: Request, options: AnimateOptions, chosen: dict[str, Chosen], render: RenderSettings
) -> dict[str, Any]:
    """What the report says of the call, with every default and lookup filled in."""
    return {
        "options": options.model_dump(mode="json"),
        "encode_preset": render.encode_preset,
        "curve": request.sheet.resolved(),
        "engines": {
            kind: {
                "name": c.choice.name,
                "settings": dict(c.choice.settings),
                "weights": c.choice.weights_digest,
                "reason": c.reason,
            }
            for kind, c in chosen.items()
        },
    }
