"""What the commands over footage can be told: command line, help and report from one model each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

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


class EditorOptions(BaseModel):
    """What an editor may be told; each takes what it knows. None leaves an editor's own default.

    Names only: which values are known is for the editor's own settings to say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: str | None = Field(default=None, description="MagicFace: folder, `hub` or a hub id")
    base: str | None = Field(default=None, description="SD 1.5's parts, where not beside --weights")
    quality: str | None = Field(
        default=None, description="draft (8 steps), standard (20), final (50)"
    )
    steps: int | None = Field(default=None, ge=1, le=1000, description="denoising steps")
    guidance: float | None = Field(
        default=None, ge=0, le=30, description="strength of the AUs: paper 3.0, official script 1.5"
    )
    scheduler: str | None = Field(default=None, description="unipc, dpm++, ddim or lcm")
    noise: str | None = Field(default=None, description="shared (one for the shot) or per-frame")
    batch: int | None = Field(default=None, ge=1, le=64, description="frames at once: 1, 2, 4, …")
    device: str | None = Field(default=None, description="auto, cpu, cuda, cuda:1")
    dtype: str | None = Field(default=None, description="auto, fp32, fp16 or bf16")
    backend: str | None = Field(
        default=None,
        description="auto, eager, compile, onnxruntime, tensorrt or tensorrt-rtx",
    )
    mask: str | None = Field(default=None, description="background image: person or face")

    def given(self) -> dict[str, Any]:
        """Only what was said."""
        return self.model_dump(exclude_none=True)


Flag = Annotated[bool, Parameter(negative=())]
"""A switch without a `--no-` form."""
Said = Annotated[str, StringConstraints(min_length=1)]
"""A word that may not be empty: an empty path would mean this folder."""
Inputs = Annotated[tuple[Said, ...], Parameter("--input", consume_multiple=True, negative=())]
OPTION_OF = {"inputs": "input"}
"""Fields that have another name on the command line."""


class AnimateOptions(BaseModel):
    """Everything `jobs/animate.py` can be told: its command line, its help and its report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    curve: Said = Field(
        description="A curve file, or the name of a preset (smile, sad, surprise, …)."
    )
    inputs: Inputs = Field(
        default=(),
        description="Files, folders or globs. Without any: those of the curve file, else a "
        "demo clip made here.",
    )
    output: Said | None = Field(
        default=None,
        description="A file (one input) or a folder. Without: beside each input, as "
        "<name>.<curve>.<ext>.",
    )
    engine: str = Field(
        default="auto",
        description="auto, previz, identity or magicface. auto takes magicface where its weights "
        "and a GPU are.",
    )
    tracker: str = Field(
        default="auto",
        description="auto, mesh or fan. auto takes fan where its weights and a GPU are.",
    )
    au: str = Field(
        default="auto", description="auto, mesh or libreface: what measures action units."
    )
    au_weights: str | None = Field(
        default=None, description="LibreFace's checkpoint, combined_resnet.pt."
    )
    work: Said | None = Field(
        default=None,
        description="Folder for resumable state. Without: `_work` beside the outputs.",
    )
    report: Said | None = Field(
        default=None,
        description="Where report.json goes. Without: beside the (first) output.",
    )
    overwrite: Flag = Field(default=False, description="Replace outputs that exist.")
    dry_run: Flag = Field(
        default=False, description="Check everything and say what would be done; write nothing."
    )
    preset_encode: Preset = Field(
        default="auto",
        description="Encoder effort. auto takes veryfast for a preview, else medium.",
    )
    plot: bool | None = Field(
        default=None,
        description="Also write a plot of the AU curves and a contact sheet beside each output "
        "(demo: on).",
    )
    seed: int = Field(default=424, ge=0, lt=2**63, description="Seed of the editor's noise.")
    editor: Annotated[EditorOptions, Parameter("*")] = EditorOptions()


class MeasureOptions(BaseModel):
    """Everything `jobs/analyse.py` can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Inputs = Field(description="Files, folders or globs.")
    output: Path = Field(
        description="The table: .parquet or .csv. Several inputs go into one table (column "
        "`video`)."
    )
    tracker: str = Field(default="auto", description="auto, mesh or fan.")
    au: str = Field(default="auto", description="auto, mesh or libreface.")
    au_weights: str | None = Field(
        default=None, description="LibreFace's checkpoint, combined_resnet.pt."
    )
    work: Said | None = Field(
        default=None, description="Folder for resumable state. Without: `_work` beside the table."
    )
    report: Path | None = Field(default=None, description="Also write a report.json here.")
    overwrite: Flag = Field(default=False, description="Replace a table that exists.")
