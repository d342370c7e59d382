"""The loss of MagicFace, for steps and for progress: eps-MSE, by what is shown as AUs.

Source: MagicFace, section III-D; Ho et al., "Denoising Diffusion Probabilistic Models", 2020,
equations 4 and 14.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.editors.magicface.sampling.sampler import generators, initial_noise, make_scheduler
from engines.editors.magicface.training.examples.draws import TIMESTEPS
from engines.editors.magicface.training.examples.latents import Batch, Latents, spread

Network = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""(noised latents, background, timesteps, AUs, source latents) → eps."""
HELD_ROWS = 256
"""Most held-out pairs that progress is measured on, spread over all."""


def signal_shares(schedule: Mapping[str, Any]) -> Tensor:
    """`(1000,)` ᾱ of SD 1.5's scheduler_config.json, float32."""
    return make_scheduler("ddim", schedule, 1).alphas_cumprod


@dataclass(frozen=True)
class Question:
    """What a network is asked about k pairs: x_t = √ᾱ·target + √(1 − ᾱ)·noise, and all beside it.

    Attributes:
        au: `(k, 12)` as shown.
        source, background: not scaled, as the model wants them.
    """

    noised: Tensor
    background: Tensor
    timesteps: Tensor
    au: Tensor
    source: Tensor

    def under(self, au: Tensor) -> Question:
        """The same with other AUs."""
        return replace(self, au=au)

    def put_to(self, network: Network) -> Tensor:
        """The network's eps, float32."""
        given = self.noised, self.background, self.timesteps, self.au, self.source
        return network(*given).float()


def question(
    batch: Batch, au: Tensor, timesteps: Tensor, noise: Tensor, signal: Tensor
) -> Question:
    """Ask about a batch whose target is scaled already.

    Args:
        signal: ᾱ of `signal_shares`, on the device.
    """
    share = signal[timesteps][:, None, None, None]
    noised = share.sqrt() * batch.target + (1 - share).sqrt() * noise
    return Question(noised, batch.background, timesteps, au, batch.source)


def squared_errors(eps: Tensor, wanted: Tensor) -> Tensor:
    """Mean of (eps − wanted)² per pair, `(k,)`."""
    return (eps - wanted).square().mean(dim=(1, 2, 3))


@dataclass(frozen=True)
class HeldOut:
    """Mean losses on held-out pairs under the true AUs, none, and another pair's.

    Attributes:
        gap: shuffled − true; above 0, the AUs are understood.
        gap_error: standard error of the gap, over pairs.
    """

    true: float
    zero: float
    shuffled: float
    gap: float
    gap_error: float
    pairs: int


def held_out_losses(
    network: Network, latents: Latents, signal: Tensor, device: torch.device | str, micro: int
) -> HeldOut | None:
    """The same draws at every call, whatever trains; None where fewer than two are held out."""
    rows = spread(latents.rows(held_out=True), HELD_ROWS)
    if len(rows) < 2:
        return None
    losses = torch.cat(
        [
            _of_rows(network, latents, rows, slice(at, at + micro), signal, device)
            for at in range(0, len(rows), micro)
        ],
        dim=1,
    )
    gaps = losses[2] - losses[0]
    true, zero, shuffled = losses.mean(dim=1).tolist()
    error = float(gaps.std()) / len(rows) ** 0.5
    return HeldOut(true, zero, shuffled, float(gaps.mean()), error, len(rows))


def _of_rows(
    network: Network, latents: Latents, rows: Any, part: slice, signal: Tensor, device: Any
) -> Tensor:
    """`(3, k)`: true, zero, shuffled."""
    batch = latents.take(rows[part], device)
    target = batch.target * latents.scaling_factor
    batch = Batch(batch.source, target, batch.background, batch.au)
    numbers = np.arange(len(rows))[part]
    timesteps = torch.from_numpy(numbers * 997 % TIMESTEPS).to(device)
    noise = initial_noise(generators(numbers.tolist()), *latents.shape[1:]).to(device)
    others = torch.from_numpy(latents.au[np.roll(rows, len(rows) // 2)[part]]).to(device)
    with torch.no_grad():
        asked = question(batch, batch.au, timesteps, noise, signal)
        return torch.stack(
            [
                squared_errors(asked.under(au).put_to(network), noise).cpu()
                for au in (batch.au, torch.zeros_like(batch.au), others)
            ]
        )
