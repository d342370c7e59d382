"""What `jobs/animate.py` can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field

from jobs.command_line.options.engines import EngineOptions
from jobs.command_line.options.words import (
    BitDepth,
    Border,
    CacheSize,
    ClipPart,
    EditorWord,
    EstimatorWord,
    EventLines,
    FieldMoments,
    Flag,
    Inputs,
    OnFiles,
    Place,
    Preset,
    ReaderWord,
    Said,
    Seed,
    StuckAfter,
    Timeline,
    TrackerWord,
    View,
)
from pipeline.storage.copies import DEFAULT_BYTES


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
    editor: EditorWord = "auto"
    tracker: TrackerWord = "auto"
    au: EstimatorWord = "auto"
    reader: ReaderWord = "auto"
    view: View = "auto"
    fields: FieldMoments = "auto"
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
    seed: Seed = 424
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
