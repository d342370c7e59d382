"""The options of `animate`, checked: one frozen model that the report can print."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]


class EditorOptions(BaseModel):
    """What an editor may be told; each takes what it knows. None leaves an editor's own default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: str | None = Field(default=None, description="folder of checkpoints, or a hub id")
    quality: Literal["draft", "standard", "final"] | None = None
    steps: int | None = Field(default=None, ge=1, le=1000)
    guidance: float | None = Field(default=None, ge=1.0, le=30.0)
    scheduler: Literal["unipc", "dpm++", "ddim", "lcm"] | None = None
    noise: Literal["shared", "per-frame"] | None = None
    batch: int | None = Field(default=None, ge=1, le=64)
    dtype: Literal["fp32", "fp16", "bf16"] | None = None
    backend: str | None = None
    mask: Literal["person", "face"] | None = None

    def given(self) -> dict[str, Any]:
        """Only what was said."""
        return self.model_dump(exclude_none=True)


class AnimateOptions(BaseModel):
    """Everything `jobs/animate.py` can be told, resolved by jobs/run.py."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    curve: str
    inputs: tuple[str, ...] = ()
    output: str | None = None
    engine: str = "auto"
    tracker: str = "auto"
    au: str = "auto"
    au_weights: str | None = None
    work: str | None = None
    report: str | None = None
    overwrite: bool = False
    dry_run: bool = False
    preset_encode: Preset = "medium"
    plot: bool | None = None
    seed: int = 424
    editor: EditorOptions = EditorOptions()
