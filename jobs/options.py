"""The options of `animate`, checked: one frozen model that the report can print."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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

    Names only: which values are known is the editor's to say (engines/magicface/settings.py).
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
    preset_encode: Preset = "auto"
    plot: bool | None = None
    seed: int = 424
    editor: EditorOptions = EditorOptions()
