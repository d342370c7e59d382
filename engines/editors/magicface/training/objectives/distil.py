"""What a student learns to give in one pass: its teacher's guided eps, or two of its DDIM steps.

Sources: Meng et al., "On Distillation of Guided Diffusion Models", 2023, first stage, at one s;
Salimans and Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", 2022, with eps
for the target, since the editor's networks predict it.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engines.editors.magicface.training.objectives.loss import Network, Question

OFFSET = 1
"""Of the scheduler `ddim`: its last timestep."""


def guided(teacher: Network, asked: Question, guidance: float) -> Tensor:
    """u + s·(c − u) of a network that learns no more; s = 0 or 1 is c alone, in one pass."""
    with torch.no_grad():
        conditional = asked.put_to(teacher)
        if guidance in (0.0, 1.0):
            return conditional
        unconditional = asked.under(torch.zeros_like(asked.au)).put_to(teacher)
    return unconditional + guidance * (conditional - unconditional)


def on_grid(timesteps: Tensor, steps: int, all_steps: int = 1000) -> Tensor:
    """Timesteps 0…999 → the nearest not above among those of `ddim` with so many steps."""
    stride = all_steps // steps
    return timesteps // stride * stride + OFFSET


def two_steps(
    teacher: Network, asked: Question, guidance: float, steps: int, signal: Tensor
) -> Tensor:
    """The eps by which one DDIM step of `steps` lands where two of the teacher's 2·`steps` do.

    Args:
        asked: at timesteps of `on_grid`.
        guidance: of the teacher.
        signal: ᾱ, `(1000,)`.
    """
    stride = len(signal) // steps
    first = guided(teacher, asked, guidance)
    middle, end = asked.timesteps - stride // 2, asked.timesteps - stride
    half = _step(asked.noised, first, asked.timesteps, middle, signal)
    between = replace(asked, noised=half, timesteps=middle.clamp(min=0))
    second = guided(teacher, between, guidance)
    there = _step(half, second, middle.clamp(min=0), end, signal)
    kept, spread = _factors(asked.timesteps, end, signal)
    at_last = (middle < 0)[:, None, None, None]  # the last step is one step for both
    return torch.where(at_last, first, (there - kept * asked.noised) / spread)


def _step(latents: Tensor, eps: Tensor, start: Tensor, end: Tensor, signal: Tensor) -> Tensor:
    kept, spread = _factors(start, end, signal)
    return kept * latents + spread * eps


def _factors(start: Tensor, end: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
    """x_end = kept · x_start + spread · eps (DDIM, η = 0); below 0 is what `ddim` ends at."""
    before, after = (signal[at.clamp(min=0)][:, None, None, None] for at in (start, end))
    kept = (after / before).sqrt()
    return kept, (1 - after).sqrt() - kept * (1 - before).sqrt()
