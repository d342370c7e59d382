"""What the commands over footage can be told: command line, help and report from one model each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from cyclopts import Parameter
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    create_model,
)

from jobs.command_line.engine_options import (
    CHOICE_OF,
    EngineOptions,
    engine_options,
    names_help,
    own_engines,
)
from keyframes.clock.part import parse_part
from keyframes.errors import KeyframeError
from pipeline.storage.copies import DEFAULT_BYTES
from pipeline.storage.urls import here, url_of

Preset = Literal[
    "auto",
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
]


ReaderWord = Literal["auto", "av", "decord", "nvdec"]
Border = Literal["replicate", "reflect", "black"]
BitDepth = Annotated[
    Literal[8, 10, 12, 16],
    BeforeValidator(lambda told: int(told) if str(told).isdigit() else told),
]
"""A choice of numbers, which a command line gives as text."""
Flag = Annotated[bool, Parameter(negative=())]
"""A switch without a `--no-` form."""
Said = Annotated[str, StringConstraints(min_length=1)]
"""A word that may not be empty: an empty path would mean this folder."""
Place = Annotated[Said, AfterValidator(here)]
"""A path, or a URL, which becomes the path of an object's copy (pipeline/storage)."""


def _on_files(word: str) -> str:
    if url_of(here(word)):
        raise ValueError("expected a place on a file system, not in a store")
    return here(word)


OnFiles = Annotated[Said, AfterValidator(_on_files)]
"""A path, or a file's URL."""


def _bytes(told: str | int) -> int:
    """`50GB` as a number of bytes."""
    match = re.fullmatch(r"([0-9.]+)\s*([KMGT]?)B?", str(told).strip(), re.IGNORECASE)
    if match is None:
        raise ValueError("expected a size as 200GB or 800MB")
    return int(float(match[1]) * UNITS[match[2].upper()])


def _part(word: str) -> str:
    """The words of a part, once they are understood."""
    try:
        parse_part(word)
    except KeyframeError as error:
        raise ValueError(str(error)) from None
    return word


UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
CacheSize = Annotated[
    int,
    BeforeValidator(_bytes),
    Field(
        default=DEFAULT_BYTES,
        gt=0,
        description="What copies of objects in stores (s3://, gs://, …) may take on each machine, "
        "as 200GB; the longest unused go first. They lie in $AUREEL_CACHE.",
    ),
]
Inputs = Annotated[tuple[Place, ...], Parameter("--input", consume_multiple=1, negative=())]
"""One or more: an option without a value is not the absence of the option."""
StuckAfter = Annotated[
    float | None,
    Field(
        gt=0,
        description="Seconds without a new frame after which a piece of work counts as hung: its "
        "process is ended and it is begun again, three times at most. Without: 20 times what its "
        "frames should take, 300 at least.",
    ),
]
EventLines = Annotated[
    OnFiles | None,
    Parameter("--log-json"),
    Field(
        description="Also write a line of JSON here for each stage of each video and each part of "
        "one, as it ends: what, when, how long, how many frames, the error.",
    ),
]
Timeline = Annotated[
    OnFiles | None,
    Field(
        description="Also draw the whole run here, as a .json that ui.perfetto.dev and "
        "chrome://tracing open: what ran at once, and who waited.",
    ),
]
ClipPart = Annotated[
    Said,
    AfterValidator(_part),
    Field(
        description="Make only this part of each clip, as 12s..15s, 25%..50% or 01:00:02:00..end: "
        "a short file of its own, named <name>.<curve>.only-12s-15s.<ext>, whatever --output says.",
    ),
]
View = Annotated[
    Said,
    Field(
        description="What engines and people are shown of the footage: auto (PQ and HLG by their "
        "tags), a camera's log curve (slog3, logc3, logc4, vlog, clog2, clog3, log3g10, flog2, "
        "nlog, applelog), a table FILE.cube from its code values to BT.709, or none.",
    ),
]
EDITOR_HELP = f"What changes faces. {names_help('editor')}"
TRACKER_HELP = f"What finds faces. {names_help('tracker')}"
ESTIMATOR_HELP = f"What measures action units. {names_help('AU estimator')}"
READER_HELP = (
    "What reads the frames for measuring. auto is av (PyAV); decord, of the extra [decord], only "
    "where it shows the same frames; nvdec, a GPU's decoder, where a file's first frames are the "
    "CPU's to the bit, else av."
)
OPTION_OF = {"inputs": "input"}
"""Fields that have another name on the command line."""


class AnimateOptions(BaseModel):
    """Everything `jobs/animate.py` can be told: its command line, its help and its report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    curve: Place | None = Field(
        default=None,
        description="A curve file, or the name of a preset (smile, sad, surprise, …). With "
        "--manifest: of rows that name none.",
    )
    inputs: Inputs = Field(
        default=(),
        description="Files, folders or globs, or their URLs in a store (s3://, gs://, …). Without "
        "any: those of the curve file, else a "
        "demo clip made here.",
    )
    manifest: Place | None = Field(
        default=None,
        description="A table (.csv, .jsonl, .parquet) with a row for each output instead of "
        "--input: columns input, output, curve, faces, range, fade (docs/cluster.md).",
    )
    output: Place | None = Field(
        default=None,
        description="A file (one input) or a folder, or its URL in a store. Without: beside each "
        "input, as "
        "<name>.<curve>.<ext>.",
    )
    only: ClipPart | None = None
    editor: Said = Field(default="auto", description=EDITOR_HELP)
    tracker: Said = Field(default="auto", description=TRACKER_HELP)
    au: Said = Field(default="auto", description=ESTIMATOR_HELP)
    reader: ReaderWord = Field(default="auto", description=READER_HELP)
    view: View = "auto"
    work: OnFiles | None = Field(
        default=None,
        description="Folder for resumable state. Without: `_work` beside the outputs, or for those "
        "in a store in $AUREEL_CACHE.",
    )
    report: Place | None = Field(
        default=None,
        description="Where report.json goes. Without: beside the (first) output.",
    )
    cache_size: CacheSize = DEFAULT_BYTES
    growing: Literal["wait", "refuse"] = Field(
        default="wait",
        description="Inputs that were written to within the last 3 s: wait until they are whole "
        "(60 s at most), or refuse them.",
    )
    stuck_after: StuckAfter = None
    log_json: EventLines = None
    timeline: Timeline = None
    overwrite: Flag = Field(default=False, description="Replace outputs that exist.")
    dry_run: Flag = Field(
        default=False, description="Check everything and say what would be done; write nothing."
    )
    preset_encode: Preset = Field(
        default="auto",
        description="Encoder effort. auto takes veryfast for a preview, else medium.",
    )
    encode_quality: Said = Field(
        default="match",
        description="match (the source's own: lossless stays lossless), high (50 dB and more), "
        "lossless, or a CRF. `--quality` takes these words too.",
    )
    codec: Said = Field(
        default="same",
        description="Of the output: same, h264, hevc, av1, vp9, prores, dnxhr, mjpeg or ffv1.",
    )
    bit_depth: BitDepth | None = Field(
        default=None, description="Bits per sample of the output. Without: the source's."
    )
    encoder: Literal["cpu", "nvenc"] = Field(
        default="cpu",
        description="What writes h264, hevc and av1: the CPU, or NVENC of the GPU where one works "
        "(not A100, H100). NVENC encodes every frame: where a source's own packets would be copied "
        "it wants --untouched encode.",
    )
    untouched: Literal["copy", "encode"] = Field(
        default="copy",
        description="Frames without an edit: copy their packets (intra codecs by frame, H.264 and "
        "HEVC by closed group of pictures), or encode all.",
    )
    matte: Literal["prores", "ffv1", "png", "exr"] | None = Field(
        default=None,
        description="Also write the edit's matte and layer beside each output, for compositors, "
        "as a movie or a folder of pictures, and its strength as a table (docs/footage.md).",
    )
    sequence: Literal["png", "exr"] | None = Field(
        default=None,
        description="Also write each output's frames as pictures, before they are encoded.",
    )
    container: Said | None = Field(
        default=None, description="Of outputs that are not named: mov, mkv, mp4, …"
    )
    allow: Annotated[tuple[Said, ...], Parameter(consume_multiple=True, negative=())] = Field(
        default=(),
        description="Losses accepted that are refused by default: dolby-vision, second-eye, alpha.",
    )
    plot: bool | None = Field(
        default=None,
        description="Also write beside each output: before and after in one video, a sheet of the "
        "frames of greatest change, a plot and a table of the AU curves (demo: on).",
    )
    qa: Flag = Field(
        default=False,
        description="Judge each output at the end: a page and a JSON file beside it, and an index "
        "of several (docs/evaluation.md).",
    )
    wait_for_plans: Flag = Field(
        default=False,
        description="Build TensorRT plans that are missing before the first frame. Without: beside "
        "the job, which changes over when they are there.",
    )
    seed: int = Field(default=424, ge=0, lt=2**63, description="Seed of the editor's noise.")
    segmenter: OnFiles | None = Field(
        default=None,
        description="A network that tells hair and skin apart (MediaPipe's "
        "selfie_multiclass_256x256.tflite, a file of yours): the edit fades where hair, clothes, "
        "an arm or a thing is before the face.",
    )
    border: Border = Field(
        default="replicate",
        description="What a face crop shows beyond the frame's edge: its edge pixels, a mirror "
        "image, or black, as in MagicFace's own script; but black is also its mask.",
    )
    editor_options: EngineOptions = EngineOptions()
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()


class MeasureOptions(BaseModel):
    """Everything `jobs/analyse.py` can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Inputs = Field(description="Files, folders or globs.")
    output: Place = Field(
        description="The table: .parquet or .csv. Several inputs go into one table (column "
        "`video`)."
    )
    tracker: Said = Field(default="auto", description=TRACKER_HELP)
    au: Said = Field(default="auto", description=ESTIMATOR_HELP)
    reader: ReaderWord = Field(default="auto", description=READER_HELP)
    view: View = "auto"
    work: OnFiles | None = Field(
        default=None, description="Folder for resumable state. Without: `_work` beside the table."
    )
    cache_size: CacheSize = DEFAULT_BYTES
    report: Place | None = Field(default=None, description="Also write a report.json here.")
    log_json: EventLines = None
    timeline: Timeline = None
    stuck_after: StuckAfter = None
    overwrite: Flag = Field(default=False, description="Replace a table that exists.")
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()


class FacesOptions(BaseModel):
    """What `jobs/faces.py` can be told besides the clips."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: Said | None = Field(
        default=None,
        description="Folder of the sheet and the pictures. Without: <name>.faces beside the clip, "
        "or `faces` beside the first of several.",
    )
    curve: Said | None = Field(
        default=None,
        description="A curve that names people: the sheet says who is who, with distances.",
    )
    tracker: Said = Field(default="auto", description=TRACKER_HELP)
    au: Said = Field(default="auto", description=ESTIMATOR_HELP)
    reader: ReaderWord = Field(default="auto", description=READER_HELP)
    view: View = "auto"
    work: Said | None = Field(
        default=None,
        description="Folder for resumable state, shared with `animate`. Without: `_work` beside "
        "the sheet's folder.",
    )
    stuck_after: StuckAfter = None
    overwrite: Flag = Field(default=False, description="Replace a sheet that exists.")
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()


class JudgeOptions(BaseModel):
    """What `jobs/evaluate.py` can be told besides the two clips."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    curve: Place | None = Field(
        default=None,
        description="What was asked for: a curve file or a preset. Without: of --run's report, "
        "else only the picture is judged.",
    )
    html: Place | None = Field(
        default=None,
        description="Where the page goes (an index, with --run); its JSON lies beside it. "
        "Without: <output>.qa.html.",
    )
    run: Place | None = Field(
        default=None,
        description="report.json of a run: judges all its outputs, with its curve and editor.",
    )
    face: int | None = Field(
        default=None, ge=0, description="Which face, 0 the largest. Without: those of the curve."
    )
    made_by: str = Field(
        default="", description="The editor that made the output, e.g. previz, where known."
    )
    preset_encode: Preset = Field(
        default="auto", description="The output's encoder effort, for the encoder's own part."
    )
    only: ClipPart | None = Field(
        default=None,
        description="The part of the source that the output shows, where `animate --only` made it; "
        "with --run, its report says so.",
    )
    tracker: Said = Field(default="auto", description=TRACKER_HELP)
    au: Said = Field(
        default="auto",
        description="The judge of action units. auto: libreface where its weights are (on a CPU "
        "too), else mesh.",
    )
    view: View = "auto"
    work: OnFiles | None = Field(
        default=None, description="Folder of a run whose analysis can be used again."
    )
    cache_size: CacheSize = DEFAULT_BYTES
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()


class DoctorOptions(BaseModel):
    """Everything `jobs/doctor.py` can be told: what a run would tell the engines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    json_output: Annotated[Flag, Parameter("--json")] = Field(
        default=False, description="Print what was found as JSON."
    )
    editor_options: EngineOptions = EngineOptions()
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()


Command = Callable[..., int]
Model = TypeVar("Model", bound=BaseModel)


def takes(model: type[BaseModel]) -> Callable[[Command], Command]:
    """Gives a command its `options`: those of a model, and those of the engines."""

    def mark(command: Command) -> Command:
        command.options_model = model  # type: ignore[attr-defined]
        offer(command, ())
        return command

    return mark


def offer(command: Command | None, arguments: Sequence[str]) -> None:
    """Lets a command that `takes` options also take those of classes from outside that it names."""
    model = getattr(command, "options_model", None)
    if command is not None and model is not None:
        offered = with_engine_options(model, arguments)
        command.__annotations__["options"] = Annotated[offered, Parameter("*")]


def with_engine_options(model: type[Model], arguments: Sequence[str] = ()) -> type[Model]:
    """A model whose `…_options` hold all that the engines of their kind may be told.

    Args:
        arguments: a command line; classes from outside that it names add their own.
    Raises:
        EngineError: such a class is not there or is no engine.
    """
    own = own_engines(arguments)
    fields: dict[str, Any] = {}
    for kind, option in CHOICE_OF.items():
        if (name := f"{option}_options") in model.model_fields:
            made = engine_options(kind, own[kind])
            fields[name] = (Annotated[made, Parameter("*")], made())
    return create_model(model.__name__, __base__=model, **fields)
