"""What `jobs/analyse.py` can be told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from jobs.command_line.options.engines import EngineOptions
from jobs.command_line.options.words import (
    CacheSize,
    EstimatorWord,
    EventLines,
    FieldMoments,
    Flag,
    Inputs,
    OnFiles,
    Place,
    ReaderWord,
    StuckAfter,
    Timeline,
    TrackerWord,
    View,
)
from pipeline.storage.copies import DEFAULT_BYTES


class MeasureOptions(BaseModel):
    """Everything `jobs/analyse.py` can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Inputs = Field(description="Files, folders or globs.")
    output: Place = Field(
        description="The table: .parquet or .csv. Several inputs go into one table (column "
        "`video`)."
    )
    tracker: TrackerWord = "auto"
    au: EstimatorWord = "auto"
    reader: ReaderWord = "auto"
    view: View = "auto"
    fields: FieldMoments = "auto"
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
