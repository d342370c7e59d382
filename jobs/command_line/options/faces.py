"""What `jobs/faces.py` can be told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from jobs.command_line.options.engines import EngineOptions
from jobs.command_line.options.words import (
    EstimatorWord,
    FieldMoments,
    Flag,
    ReaderWord,
    Said,
    StuckAfter,
    TrackerWord,
    View,
)


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
    tracker: TrackerWord = "auto"
    au: EstimatorWord = "auto"
    reader: ReaderWord = "auto"
    view: View = "auto"
    fields: FieldMoments = "auto"
    work: Said | None = Field(
        default=None,
        description="Folder for resumable state, shared with `animate`. Without: `_work` beside "
        "the sheet's folder.",
    )
    stuck_after: StuckAfter = None
    overwrite: Flag = Field(default=False, description="Replace a sheet that exists.")
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()
