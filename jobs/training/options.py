"""What `train` can be told: command line, help and recipe from one model."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from engines.editors.magicface.training.recipe import Recipe
from jobs.command_line.options.words import Flag, Said


class TrainOptions(BaseModel):
    """Everything `jobs/train.py` can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: Path = Field(description="Folder of pairs, as make-pairs writes it.")
    output: Path = Field(
        description="Folder for checkpoints, progress.jsonl and latents, which all workers see. A "
        "run that is there already is gone on with."
    )
    init: Said = Field(
        description="Where to begin: sd15 (Stable Diffusion 1.5, both UNets), MagicFace's weights "
        "(a folder, `hub`, a hub id), or tiny (small random networks, to see it run)."
    )
    base: Said | None = Field(
        default=None,
        description="Folder of SD 1.5, where it is not beside the weights or in the cache.",
    )
    workers: int = Field(
        default=1, ge=1, description="Processes; each has a GPU of its own where there are any."
    )
    without_provenance: Flag = Field(
        default=False,
        description="Also train on footage without a licence, consent and leave to train.",
    )
    max_failures: int = Field(
        default=3, ge=0, description="Deaths of a worker after which the run is given up."
    )
    steps: int = Field(default=Recipe.steps, description="Optimiser steps in all.")
    batch: int = Field(default=Recipe.batch, description="Pairs per step, over all workers.")
    micro: int = Field(
        default=Recipe.micro, description="Pairs per pass of a worker; gradients add up."
    )
    lr: float = Field(default=Recipe.lr, description="Learning rate, after the warm-up.")
    warmup: int = Field(default=Recipe.warmup, description="Steps in which it rises from 0.")
    schedule: Literal["constant", "cosine"] = Field(
        default="constant", description="cosine falls to 2 % at the last step."
    )
    beta2: float = Field(default=Recipe.beta2, description="Of AdamW.")
    weight_decay: float = Field(default=Recipe.weight_decay, description="Of AdamW.")
    clip: float = Field(default=Recipe.clip, description="The gradient's largest norm.")
    au_dropout: float = Field(
        default=Recipe.au_dropout, description="Share of AU vectors that become zeros; 0: none."
    )
    zero_noise: float = Field(
        default=Recipe.zero_noise, description="Spread of what zero vectors become otherwise."
    )
    distil_guidance: float = Field(
        default=Recipe.distil_guidance,
        description="Learn the guided answer of the start's own weights at this guidance, so that "
        "one pass at --guidance 1 gives it; 0: learn from noise, as the paper does.",
    )
    distil_steps: int = Field(
        default=Recipe.distil_steps,
        description="Learn to go in N steps of --scheduler ddim as far as the start's own weights "
        "go in twice as many, at the guidance above; 0: do not.",
    )
    ema: float = Field(
        default=Recipe.ema, description="Decay of the averaged weights that are saved; 0: none."
    )
    dtype: Literal["fp32", "bf16"] = Field(
        default="fp32", description="bf16 computes under autocast; weights stay fp32."
    )
    optimiser: Literal["adamw", "adamw8"] = Field(
        default="adamw", description="adamw8 keeps a byte per moment and value instead of four."
    )
    shard_states: Flag = Field(
        default=False,
        description="Each worker keeps its share of the optimiser's states; numbers are the same.",
    )
    checkpointing: Flag = Field(
        default=False, description="Recompute activations: less memory, about a third more work."
    )
    parts: Literal["all", "last-layers", "lora"] = Field(
        default="all", description="What learns; the last two are for fine-tuning on one actor."
    )
    rank: int = Field(default=Recipe.rank, description="Of LoRA.")
    au_encoder: Literal["linear+time", "zero-append+time", "mlp+conv"] = Field(
        default="linear+time", description="The paper's Table III."
    )
    seed: int = Field(default=Recipe.seed, description="Of every draw.")
    save_every: int = Field(default=Recipe.save_every, description="Steps between checkpoints.")
    evaluate_every: int = Field(
        default=Recipe.evaluate_every, description="Steps between losses on held-out people."
    )
    log_every: int = Field(default=Recipe.log_every, description="Steps between lines.")
    keep: int = Field(
        default=Recipe.keep,
        description="Checkpoints that can be gone on from; weights of all stay. 0: all.",
    )

    def recipe(self) -> Recipe:
        """The settings of the run.

        Raises:
            EngineError: a value out of its range.
        """
        return Recipe(**{field.name: getattr(self, field.name) for field in fields(Recipe)})
