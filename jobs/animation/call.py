"""An `animate` call with everything looked up and checked: what a run and a dry run begin with."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engines.choice import Engine, check_named, check_shuts_eyes, resolve
from jobs.command_line.element_places import without_element_places
from jobs.command_line.event_log import event_places
from jobs.command_line.inputs import Found, Inputs, Refused, expand_inputs, find_inputs
from jobs.command_line.options import AnimateOptions, FacesOptions, MeasureOptions
from jobs.command_line.outputs import (
    Placed,
    is_one_of,
    place_outputs,
    video_rows,
    without_own_results,
)
from jobs.command_line.places import check_file_place, check_folder_place
from jobs.command_line.settling import unsettled
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from keyframes.load import load_sheet
from keyframes.sheet import KeyframeSheet
from pipeline.errors import MediaError
from pipeline.media.opening import open_video
from pipeline.media.read.reader import choose_reader
from pipeline.media.write.elements.element import places
from pipeline.rows import VideoRow
from pipeline.settings import (
    AnalysisSettings,
    ElementWish,
    EncodeWish,
    RenderSettings,
    digest_of,
)
from pipeline.source import Identity
from pipeline.store import VideoFolder, up_to_date

OPENED = 16
"""Files named one by one that are opened before the work; of more, each is when it is inspected."""
DEMO_FOLDER = Path("~/aureel/demo")


@dataclass(frozen=True)
class Call:
    """A call with nothing left to look up.

    Attributes:
        sheet: driving videos still to be measured.
        refused: entries that cannot be made; each is a line of the report.
        notes: what the person should know of the inputs.
        report: where report.json goes.
        gpus: of the cluster, or of this machine.
    """

    options: AnimateOptions
    sheet: KeyframeSheet
    videos: list[VideoRow]
    refused: list[Refused]
    notes: list[str]
    report: Path
    is_demo: bool
    gpus: float
    analysis: AnalysisSettings
    editor: Engine

    @property
    def engines(self) -> dict[str, Engine]:
        """The three choices, by kind."""
        chosen = (self.editor, self.analysis.tracker, self.analysis.estimator)
        return {engine.kind: engine for engine in chosen}

    @property
    def render(self) -> RenderSettings:
        """The pipeline's settings."""
        options = self.options
        return RenderSettings(
            sheet=self.sheet,
            editor=self.editor,
            encode_preset=encode_preset(options.preset_encode, self.editor.is_preview),
            encode=EncodeWish(
                options.encode_quality,
                options.codec,
                options.bit_depth,
                options.untouched,
                options.allow,
            ),
            elements=element_wish(options),
            seed=options.seed,
            border=options.border,
            overwrite=options.overwrite,
            plot=self.is_demo if options.plot is None else options.plot,
            stuck_after=options.stuck_after,
        )

    def with_sheet(self, sheet: KeyframeSheet) -> Call:
        """The same call with driving videos measured."""
        return replace(self, sheet=sheet)


def checked(options: AnimateOptions, say: Callable[[str], None] = lambda _: None) -> Call:
    """Looks up the curve, the inputs, every path and every engine; refuses what cannot run.

    Without inputs the demo clip is meant, and made where it is not there yet.

    Args:
        say: tells the person what is waited for.
    Raises:
        JobError, KeyframeError, EngineError, PipelineError: the call itself is wrong.
    """
    sheet = load_sheet(options.curve)
    named = options.inputs or sheet.input
    videos, refused, notes = _videos(options, sheet, named, say)
    report = options.report or str(Path(videos[0]["output"]).parent / "report.json")
    report_path = Path(report).expanduser().absolute()
    _check_places(videos, report_path, _also_read(options, sheet))
    event_places(options.log_json, options.timeline, videos)
    asked = asked_engines(options)
    if sheet.shuts_eyes:
        check_shuts_eyes("editor", asked["editor"][0])
    gpus = gpus_for(asked)
    if sheet.people:
        from pipeline.faces.recognise import check_people  # a tracker and a network

        check_people(sheet)
    return Call(
        options,
        sheet,
        videos,
        refused,
        notes,
        report_path,
        not named,
        gpus,
        analysis_settings(options, asked, gpus),
        resolve("editor", *asked["editor"], gpus=gpus, shuts_eyes=sheet.shuts_eyes),
    )


def _videos(
    options: AnimateOptions,
    sheet: KeyframeSheet,
    named: Sequence[str],
    say: Callable[[str], None],
) -> tuple[list[VideoRow], list[Refused], list[str]]:
    """A row for each video that can be made, the entries that cannot, and notes on the inputs."""
    output = options.output or sheet.output
    if named:
        inputs, ours = without_own_results(find_inputs(named), output, options.work)
    else:
        clip = _demo_clip(keep=not options.dry_run)
        inputs, ours = Inputs((Found(clip, clip.parent, is_named=True),), ()), []
        output = output or f"{DEMO_FOLDER.expanduser()}/"
    notes = [f"{len(ours)} results of earlier runs among the inputs were left out"] if ours else []
    placed = place_outputs(
        inputs, output, sheet.name, _also_read(options, sheet), options.container
    )
    wish = element_wish(options)
    lacking = without_element_places(placed.pairs, wish, _also_read(options, sheet))
    placed = Placed(tuple(p for p in placed.pairs if p not in lacking), placed.refused)
    refused = [*inputs.refused, *placed.refused, *lacking.values()]
    wait = options.growing == "wait" and not options.dry_run
    unfit = unsettled([s for s, _ in placed.pairs], wait=wait, say=say) if named else {}
    unfit |= _unopened([item.path for item in inputs.found if item.is_named])
    refused += [Refused(str(s), unfit[s], str(o)) for s, o in placed.pairs if s in unfit]
    rows, unread = video_rows([p for p in placed.pairs if p[0] not in unfit], options.work)
    refused += unread
    if not rows:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        first = refused[0].line if refused else "; ".join(notes)
        raise JobError(f"--input {first}{more}")
    return rows, refused, notes


def _unopened(named: Sequence[Path]) -> dict[Path, str]:
    """Why files are no footage, of a few that are named: known before Ray is started."""
    why: dict[Path, str] = {}
    for path in named[:OPENED]:
        try:
            with open_video(str(path)):
                pass
        except MediaError as error:
            why[path] = str(error).removeprefix(f"{path}: ")
    return why


def _also_read(options: AnimateOptions, sheet: KeyframeSheet) -> list[Path]:
    """What the job reads beside its footage: the curve file, driving videos, people's pictures."""
    pictures = [Path(picture) for person in sheet.people for picture in person.pictures]
    videos = expand_inputs([video for video, _ in sheet.videos()])
    return [Path(options.curve), *videos, *pictures]


def _demo_clip(*, keep: bool) -> Path:
    """The demo clip, made where it is not there yet; unless it is to be kept, only for now."""
    from pipeline.demo.clip import make_demo_clip

    path = DEMO_FOLDER.expanduser() / "demo.mp4"
    if path.is_file():
        return path
    if not keep:
        folder = Path(tempfile.mkdtemp(prefix="aureel-demo-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = folder / path.name
    return make_demo_clip(path)


def _check_places(videos: list[VideoRow], report: Path, also_read: list[Path]) -> None:
    check_file_place(report, "--report")
    if is_one_of(report, [*also_read, *(Path(video["source"]) for video in videos)]):
        raise JobError(f"--report {report}: is an input of this job")
    for folder in {Path(video["work"]) for video in videos}:
        check_folder_place(folder, "--work")
    for folder in {Path(video["output"]).parent for video in videos}:
        check_folder_place(folder, "--output")
    if len(videos) == 1:
        check_file_place(Path(videos[0]["output"]), "--output")


Asked = dict[str, tuple[str, dict[str, Any]]]
"""Kind → the name that was asked for and what was said to it."""


def asked_engines(options: AnimateOptions | MeasureOptions | FacesOptions) -> Asked:
    """What a call asks of each kind of engine."""
    asked = {
        "tracker": (options.tracker, options.tracker_options.given()),
        "AU estimator": (options.au, options.au_options.given()),
    }
    if isinstance(options, AnimateOptions):
        asked["editor"] = (options.editor, options.editor_options.given())
    return asked


def gpus_for(asked: Asked) -> float:
    """GPUs at hand, counted once no engine that was named is wrong: a cluster is joined for it.

    Raises:
        EngineError: one that is unknown or cannot run here; the line says why.
        JobError: the cluster of RAY_ADDRESS cannot be joined.
    """
    for kind, (name, settings) in asked.items():
        check_named(kind, name, settings)
    return cluster.gpus()


def analysis_settings(
    options: AnimateOptions | MeasureOptions | FacesOptions, asked: Asked, gpus: float
) -> AnalysisSettings:
    """The tracker, the estimator and the reader of a call.

    Raises:
        EngineError: none can run here; the line says why.
        MediaError: the reader that was named is not installed.
    """
    return AnalysisSettings(
        resolve("tracker", *asked["tracker"], gpus=gpus),
        resolve("AU estimator", *asked["AU estimator"], gpus=gpus),
        choose_reader(options.reader).name,
        options.stuck_after,
    )


def element_wish(options: AnimateOptions) -> ElementWish:
    """What compositors get beside each output."""
    return ElementWish(options.matte, options.sequence)


def encode_preset(asked: str, is_preview: bool) -> str:
    """The encoder's effort; medium would take 12 of a preview's 29 CPU-ms per 512 px frame."""
    if asked != "auto":
        return asked
    return "veryfast" if is_preview else "medium"


def request_digest(call: Call, video: VideoRow) -> str:
    """Names everything an output depends on."""
    render = call.render
    state = Identity.parse(video["identity"]).state
    return digest_of(state, call.analysis.digest, render.sheet.digest, render.editor_digest)


def with_request(call: Call, video: VideoRow) -> VideoRow:
    """The row, told what its output is made from."""
    return {**video, "request": request_digest(call, video)}


def standing_output(call: Call, video: VideoRow) -> str | None:
    """What is known of an output that is there already and may not be replaced; None without.

    Returns:
        "" where it is up to date, else why it is refused.
    """
    output = Path(video["output"])
    elements = places(output, call.render.elements)
    if call.options.overwrite:
        return None
    if not output.exists():
        standing = [place for place in elements.values() if place.exists()]
        return f"{standing[0]} exists; pass --overwrite to replace it" if standing else None
    folder = VideoFolder.of(video)
    if not up_to_date(folder, output, request_digest(call, video)):
        return (
            f"{output} exists and was not made by this curve and these settings; pass --overwrite"
        )
    gone = [place for place in elements.values() if not place.exists()]
    return f"{gone[0]} is gone, which belongs to {output}; pass --overwrite" if gone else ""


def refuse_a_single_standing_output(call: Call) -> None:
    """Refuses a call whose one output is there already and was made from something else.

    Raises:
        JobError: of several, each video's row in the report says it.
    """
    if len(call.videos) == 1 and (why := standing_output(call, call.videos[0])):
        raise JobError(why)
