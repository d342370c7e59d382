"""What `jobs/evaluate.py` can be told of one output."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from jobs.command_line.options.engines import EngineOptions
from jobs.command_line.options.words import (
    CacheSize,
    ClipPart,
    JudgeWord,
    OnFiles,
    Place,
    Preset,
    TrackerWord,
    View,
)
from pipeline.storage.copies import DEFAULT_BYTES


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
    tracker: TrackerWord = "auto"
    au: JudgeWord = "auto"
    view: View = "auto"
    work: OnFiles | None = Field(
        default=None, description="Folder of a run whose analysis can be used again."
    )
    cache_size: CacheSize = DEFAULT_BYTES
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()
