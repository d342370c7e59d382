"""What was found out about a machine, a line each."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["yes", "no", "limited"]
MARKS = {"yes": "✓", "no": "✗", "limited": "!"}


class Finding(BaseModel):
    """One thing that a machine has or lacks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    area: str = Field(description="editor, tracker, AU estimator, GPU, footage, disk, packages")
    name: str
    state: State = Field(description="limited: it works, with less than it could")
    told: str = Field(description="what was found, a clause")
    advice: str = Field(default="", description="what can be done, a clause or a command")
    is_needed: bool = Field(default=False, description="nothing runs here without it")

    def line(self) -> str:
        """As a person reads it."""
        advice = f"; {self.advice}" if self.advice else ""
        return f"{MARKS[self.state]} {self.area} {self.name}: {self.told}{advice}"


class Checkup(BaseModel):
    """Everything `aureel doctor` found out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: list[Finding]
    takes: dict[str, str] = Field(description="kind of engine → what `auto` takes here")
    next_step: str = Field(description="the next command towards a MagicFace result")
    why: str = Field(description="why that one")

    @property
    def is_ready(self) -> bool:
        """Whether a run can be made here, if only a preview."""
        needed = all(f.state != "no" for f in self.findings if f.is_needed)
        return needed and all(self.takes.values())
