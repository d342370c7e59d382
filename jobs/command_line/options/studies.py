"""What the commands over pictures of people can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field

from jobs.command_line.options.engines import EngineOptions
from jobs.command_line.options.words import (
    EditorWord,
    Flag,
    JudgeWord,
    Said,
    Seed,
    TrackerWord,
)

Identities = Annotated[
    Said,
    Field(
        description="A folder of pictures (png, jpg, webp, tif, bmp) and clips (mp4, mov, mkv, "
        "webm, avi, mxf; a calm frame of each is taken), a person each; or `synthetic`: drawn "
        "people.",
    ),
]
People = Annotated[int, Field(ge=1, le=1000, description="How many of them, at most.")]


class ProtocolOptions(BaseModel):
    """Everything `evaluate protocol` can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: Path = Field(
        description="Folder for protocol.html, protocol.csv, protocol.json and the state of an "
        "unended run; the same call goes on there."
    )
    identities: Identities = "synthetic"
    people: People = 20
    editor: EditorWord = "auto"
    level_as: Literal["delta", "target", "both"] = Field(
        default="both",
        description="A level is added to what the face shows, or is what it shall show.",
    )
    aus: str = Field(default="all", description="Units asked for alone, e.g. 1,4,12.")
    levels: str = Field(default="A..E", description="Levels of units alone, e.g. C or A..C.")
    combinations: int = Field(
        default=387, ge=0, le=387, description="How many of aureel-387, spread evenly over it."
    )
    sweep: Annotated[tuple[float, ...], Parameter(consume_multiple=1, negative=())] = Field(
        default=(), description="Guidances to repeat all of it at, e.g. 1 1.5 2 3 (Table IV)."
    )
    checkpoints: Path | None = Field(
        default=None,
        description="Folder of `train`: repeat all of it with the weights of each checkpoint in it "
        "(editor magicface); checkpoints.csv and checkpoints.png show how figures went.",
    )
    keep_stills: Flag = Field(default=False, description="Also keep every still, as PNG.")
    seed: Seed = 424
    overwrite: Flag = Field(default=False, description="Replace another protocol's results there.")
    tracker: TrackerWord = "auto"
    au: JudgeWord = "auto"
    editor_options: EngineOptions = EngineOptions()
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()


class StimuliOptions(BaseModel):
    """Everything `stimuli` can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: Path = Field(
        description="Folder for the stimuli, a folder per person, and manifest.csv, frames.csv, "
        "stimuli.json, methods.txt; the same call goes on where it stopped."
    )
    identities: Identities = "synthetic"
    people: People = 20
    aus: str = Field(default="all", description="Units, e.g. 1,4,12; together: 1+4,6+12.")
    levels: str = Field(default="A..E", description="Levels, e.g. C, B,D or A..E.")
    timing: str = Field(
        default="onset=500ms,apex=1s,offset=500ms",
        description="Of a video: onset, apex, offset and, where wanted, before and after.",
    )
    form: Literal["video", "still"] = Field(
        default="video", description="A video, or the apex as a lossless still."
    )
    fps: str = Field(default="25", description="Frames per second, e.g. 25 or 30000/1001.")
    easing: Literal["linear", "sine", "cubic", "pchip", "bezier"] = Field(
        default="linear", description="How the levels between the keys are reached."
    )
    level_as: Literal["delta", "target"] = Field(
        default="target",
        description="A level is added to what the face shows, or is what it shall show.",
    )
    editor: EditorWord = "auto"
    seed: Seed = 424
    overwrite: Flag = Field(default=False, description="Replace other stimuli there.")
    tracker: TrackerWord = "auto"
    au: JudgeWord = "auto"
    editor_options: EngineOptions = EngineOptions()
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()
