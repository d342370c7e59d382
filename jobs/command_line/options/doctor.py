"""What `jobs/doctor.py` can be told."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field

from jobs.command_line.options.engines import EngineOptions
from jobs.command_line.options.words import Flag


class DoctorOptions(BaseModel):
    """Everything `jobs/doctor.py` can be told: what a run would tell the engines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    json_output: Annotated[Flag, Parameter("--json")] = Field(
        default=False, description="Print what was found as JSON."
    )
    editor_options: EngineOptions = EngineOptions()
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()
