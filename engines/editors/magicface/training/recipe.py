"""What a user may say to training, with the paper's values as defaults. Imports nothing heavy.

Source: MagicFace, sections III-D and IV-A. The paper is silent on the optimiser, precision, EMA and
clipping; those defaults are ours.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from engines.editors.magicface.traits import GUIDANCE_MAX
from engines.errors import EngineError

AU_ENCODERS = ("linear+time", "zero-append+time", "mlp+conv")
"""The paper's Table III. `linear+time`: a linear layer's output is added to the time embedding (the
released model's). `zero-append+time`: the vector itself, padded with zeros, is; nothing is learned.
`mlp+conv`: a perceptron's outputs are maps of one value each, joined to the latents before
conv_in."""
PARTS = ("all", "last-layers", "lora")
"""What learns. `last-layers`: the denoiser's AU layer, up blocks and output. `lora`: its AU layer,
and a low-rank change of the attention projections of both UNets."""
SCHEDULES = ("constant", "cosine")
DTYPES = ("fp32", "bf16")
OPTIMISERS = ("adamw", "adamw8")
"""`adamw8` keeps a byte for each of the two moments instead of four."""
MAY_CHANGE = ("steps", "save_every", "evaluate_every", "log_every", "keep", "micro", "shard_states")
"""What may differ between a run and the one it goes on from."""


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise EngineError(f"training: no {what} {value!r}; known: {', '.join(known)}")


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run.

    Attributes:
        steps: optimiser steps in all.
        batch: pairs per step, over all workers (the paper: 2 on each of 4 GPUs).
        micro: pairs per forward pass of a worker; gradients add up to the batch.
        lr: learning rate after `warmup` steps.
        schedule: `constant`, or `cosine` down to 2 % at the last step.
        beta2, weight_decay, clip: of AdamW (beta1 is 0.9); clip is the gradient's largest norm.
        au_dropout: share of AU vectors that become zeros, the guidance's null; 0 turns it off.
        zero_noise: σ of what an all-zero AU vector becomes that was not dropped.
        distil_guidance: s of the guided eps that the start's own weights give and the student
            learns to give in one pass; 0 trains on noise, as the paper does.
        distil_steps: N steps of the scheduler `ddim` in which the student learns to go as far as
            the start's own weights go in 2·N, at the guidance above (0: without); 0: off.
        ema: decay of the averaged weights, which is what is saved for use; 0 turns it off.
        dtype: `bf16` computes under autocast; weights and optimiser stay fp32.
        optimiser: of `OPTIMISERS`.
        shard_states: each of several workers keeps its share of the optimiser's states; the
            numbers are the same.
        checkpointing: recompute activations in the backward pass: less memory, a third more work.
        parts: what learns, of `PARTS`.
        rank: of LoRA's changes.
        au_encoder: of `AU_ENCODERS`.
        seed: names every draw, with the step and the place in the batch.
        save_every, evaluate_every, log_every: in steps.
        keep: how many of the last checkpoints can be gone on from; 0 is all.
    """

    steps: int = 100_000
    batch: int = 8
    micro: int = 2
    lr: float = 1e-5
    warmup: int = 0
    schedule: str = "constant"
    beta2: float = 0.999
    weight_decay: float = 0.01
    clip: float = 1.0
    au_dropout: float = 0.1
    zero_noise: float = 0.2
    distil_guidance: float = 0.0
    distil_steps: int = 0
    ema: float = 0.9999
    dtype: str = "fp32"
    optimiser: str = "adamw"
    shard_states: bool = False
    checkpointing: bool = False
    parts: str = "all"
    rank: int = 16
    au_encoder: str = "linear+time"
    seed: int = 0
    save_every: int = 1000
    evaluate_every: int = 1000
    log_every: int = 10
    keep: int = 2

    def __post_init__(self) -> None:
        _one_of("AU encoder", self.au_encoder, AU_ENCODERS)
        _one_of("parts", self.parts, PARTS)
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("dtype", self.dtype, DTYPES)
        _one_of("optimiser", self.optimiser, OPTIMISERS)
        for name in ("steps", "batch", "micro", "rank", "save_every", "evaluate_every"):
            self._in_range(name, 1, 10**9)
        self._in_range("log_every", 1, 10**9)
        for name in ("warmup", "keep"):
            self._in_range(name, 0, 10**9)
        self._in_range("seed", 0, 2**63 - 1)
        self._in_range("lr", 1e-12, 1.0)
        for name in ("weight_decay", "au_dropout"):
            self._in_range(name, 0.0, 1.0)
        for name in ("beta2", "ema"):
            self._in_range(name, 0.0, 0.999999)
        self._in_range("clip", 1e-6, 1e6)
        self._in_range("zero_noise", 0.0, 10.0)
        self._in_range("distil_guidance", 0.0, GUIDANCE_MAX)
        self._in_range("distil_steps", 0, 250)
        if self.distil_steps and 500 % self.distil_steps:
            raise EngineError(
                f"training: distil_steps: got {self.distil_steps}; expected one of which 500 is a "
                "multiple, e.g. 4, or its steps would not lie among the teacher's"
            )

    @property
    def distils(self) -> bool:
        """Whether it learns from a teacher and not from noise."""
        return self.distil_guidance > 0 or self.distil_steps > 0

    def _in_range(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise EngineError(f"training: {name}: got {value}; expected {low:g}…{high:g}")

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, 0 the first; by the step's number, never by time."""
        warm = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "constant":
            return self.lr * warm
        falling = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.lr * warm * (0.02 + 0.98 * falling)

    def places_of(self, worker: int, workers: int) -> list[range]:
        """The places of a step's batch that a worker computes, a range per forward pass.

        Raises:
            EngineError: a batch that cannot be shared out evenly.
        """
        share, rest = divmod(self.batch, workers)
        micro = min(self.micro, share)
        if rest or not share or share % micro:
            raise EngineError(
                f"training: a batch of {self.batch} cannot be shared out to {workers} workers in "
                f"passes of {self.micro}; expected batch = workers · passes · micro"
            )
        first = worker * share
        return [range(at, at + micro) for at in range(first, first + share, micro)]

    def differs_from(self, other: dict[str, Any]) -> list[str]:
        """What another run's recipe said otherwise, of what must stay: `lr 1e-05, was 0.001`."""
        fixed = {name: value for name, value in asdict(self).items() if name not in MAY_CHANGE}
        usual = asdict(Recipe())  # what older runs did not know
        if self.schedule == "cosine":
            fixed["steps"] = self.steps
        return [
            f"{name} {value}, was {other.get(name, usual[name])}"
            for name, value in fixed.items()
            if other.get(name, usual[name]) != value
        ]
