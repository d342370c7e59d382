"""An `animate` call with everything looked up and checked: what a run and a dry run begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from engines.choice import Engine, check_named, resolve
from engines.segmenters.file import SegmenterFile
from jobs.animation.rates import as_measured, gpus_of_place
from jobs.animation.shots import Shots, element_wish, find_shots
from jobs.command_line.event_log import event_places
from jobs.command_line.options.analyse import MeasureOptions
from jobs.command_line.options.animate import AnimateOptions
from jobs.command_line.options.faces import FacesOptions
from jobs.command_line.outputs import is_one_of, named_for
from jobs.command_line.places import check_file_place, check_folder_place
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from keyframes.clock.part import parse_part
from keyframes.sheet import KeyframeSheet
from pipeline.files import stands
from pipeline.media.read.decoding.reader import choose_reader
from pipeline.media.write.elements.element import places
from pipeline.media.write.encoding.nvenc import why_not_nvenc
from pipeline.rows import VideoRow
from pipeline.run_folder.store import VideoFolder, shown_state, up_to_date
from pipeline.settings import (
    AnalysisSettings,
    EncodeWish,
    RenderSettings,
    digest_of,
)


@dataclass(frozen=True)
class Call:
    """A call with nothing left to look up.

    Attributes:
        shots: what is made, with which curves; driving videos still to be measured.
        report: where report.json goes.
        gpus: of the cluster, or of this machine.
        gpu_kinds: names them, for what an editor took on them (jobs/animation/rates.py).
    """

    options: AnimateOptions
    shots: Shots
    report: Path
    gpus: float
    gpu_kinds: str
    analysis: AnalysisSettings
    editor: Engine
    segmenter: SegmenterFile | None = None

    @property
    def videos(self) -> list[VideoRow]:
        """A row for each video that can be made."""
        return self.shots.videos

    def sheet_of(self, video: VideoRow) -> KeyframeSheet:
        """The curve of a video."""
        return self.shots.sheets[self.shots.asked[video["video"]]]

    @property
    def sheet(self) -> KeyframeSheet | None:
        """The curve of all videos; None where they have several."""
        sheets = list(self.shots.sheets.values())
        return sheets[0] if len(sheets) == 1 else None

    @property
    def engines(self) -> dict[str, Engine]:
        """The three choices, by kind."""
        chosen = (self.editor, self.analysis.tracker, self.analysis.estimator)
        return {engine.kind: engine for engine in chosen}

    @cached_property
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
                options.encoder,
            ),
            elements=element_wish(options),
            seed=options.seed,
            border=options.border,
            segmenter=self.segmenter,
            overwrite=options.overwrite,
            plot=self.shots.is_demo if options.plot is None else options.plot,
            stuck_after=options.stuck_after,
            only=parse_part(options.only) if options.only else None,
        )

    @cached_property
    def analysis_digest(self) -> str:
        """Names the analyses of this call."""
        return self.analysis.digest

    @cached_property
    def editor_digest(self) -> str:
        """All that an output depends on besides its source and its curve."""
        return self.render.editor_digest

    def having(self, **changes: Any) -> Call:
        """The same call with other videos, curves or refused entries."""
        return replace(self, shots=replace(self.shots, **changes))


def checked(options: AnimateOptions, say: Callable[[str], None] = lambda _: None) -> Call:
    """Looks up the curves, the inputs, every path and every engine; refuses what cannot run.

    Without inputs the demo clip is meant, and made where it is not there yet.

    Args:
        say: tells the person what is waited for.
    Raises:
        JobError, KeyframeError, EngineError, PipelineError: the call itself is wrong.
    """
    shots = find_shots(options, say)
    name = named_for("report.json", options.only)
    report = options.report or str(Path(shots.videos[0]["output"]).parent / name)
    report_path = Path(report).expanduser().absolute()
    _check_places(shots.videos, report_path, shots.also_read)
    event_places(options.log_json, options.timeline, shots.videos)
    asked = asked_engines(options)
    gpus = gpus_for(asked)
    _check_encoder(options)
    kinds = gpus_of_place()
    shuts_eyes = any(sheet.shuts_eyes for sheet in shots.sheets.values())
    return Call(
        options,
        shots,
        report_path,
        gpus,
        kinds,
        analysis_settings(options, asked, gpus),
        as_measured(resolve("editor", *asked["editor"], gpus=gpus, shuts_eyes=shuts_eyes), kinds),
        _segmenter(options.segmenter),
    )


def _segmenter(path: str | None) -> SegmenterFile | None:
    """What tells hair and skin apart, proved to be that."""
    if path is None:
        return None
    from engines.segmenters.multiclass import chosen_segmenter  # OpenCV and LiteRT: 0.2 s

    return chosen_segmenter(path)


def _check_encoder(options: AnimateOptions) -> None:
    """Refuses NVENC where this machine is all there is and has none; a cluster's nodes say it."""
    if options.encoder == "nvenc" and cluster.is_this_machine() and (why := why_not_nvenc()):
        raise JobError(f"--encoder nvenc: {why}; pass --encoder cpu")


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
        options.fields,
    )


def encode_preset(asked: str, is_preview: bool) -> str:
    """The encoder's effort; medium would take 12 of a preview's 29 CPU-ms per 512 px frame."""
    if asked != "auto":
        return asked
    return "veryfast" if is_preview else "medium"


def doers(call: Call) -> dict[str, Any]:
    """Work that is timed (jobs/command_line/timed.py) → what does it."""
    preset = call.render.encode_preset
    editor = call.editor.identity
    return {
        "editor": editor,
        "render": (editor, call.editor.gpu_share, preset),
        "analyse": call.analysis_digest,
        "rest": "",
    }


def request_digest(call: Call, video: VideoRow) -> str:
    """Names everything an output depends on."""
    curve = call.sheet_of(video).digest
    part = [call.options.only] if call.options.only else []
    return digest_of(shown_state(video), call.analysis_digest, curve, call.editor_digest, *part)


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
    if not stands(output):
        standing = [place for place in elements.values() if stands(place)]
        return f"{standing[0]} exists; pass --overwrite to replace it" if standing else None
    folder = VideoFolder.of(video)
    if not up_to_date(folder, output, request_digest(call, video)):
        return (
            f"{output} exists and was not made by this curve and these settings; pass --overwrite"
        )
    gone = [place for place in elements.values() if not stands(place)]
    return f"{gone[0]} is gone, which belongs to {output}; pass --overwrite" if gone else ""


def refuse_a_single_standing_output(call: Call) -> None:
    """Refuses a call whose one output is there already and was made from something else.

    Raises:
        JobError: of several, each video's row in the report says it.
    """
    if len(call.videos) == 1 and (why := standing_output(call, call.videos[0])):
        raise JobError(why)
