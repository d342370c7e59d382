"""How far edits go of what was asked, on held-out pairs that differ by a known change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engines.editors.magicface.model.unet import IDProjection
from engines.editors.magicface.sampling.sampler import (
    generators,
    initial_noise,
    make_scheduler,
    sample,
)
from engines.editors.magicface.training.examples.latents import Batch, Latents, spread
from engines.editors.magicface.training.network.trainee import Trainee

MOST = 64
"""Pairs that are edited."""
AT_ONCE = 8


@dataclass(frozen=True)
class Ways:
    """How edits are made: sampler, steps, guidance."""

    scheduler: str = "unipc"
    steps: int = 8
    guidance: float = 3.0


@dataclass(frozen=True)
class Edits:
    """Edits of held-out sources towards their targets' AUs, against the same without a change.

    Attributes:
        gain: of the true change in latents, what was made along it; 1 is all, below 0 is the
            other way. Over all pairs, weighted by how large their change is.
        gain_error: standard error of the gain, over pairs (of a ratio of two means).
        right_sign: share of pairs whose change goes the true way.
        nearer: share of edits that are nearer to the target than to the source.
        pairs: how many.
    """

    gain: float
    gain_error: float
    right_sign: float
    nearer: float
    pairs: int


def edited(
    trainee: Trainee,
    batch: Batch,
    au: Tensor,
    schedule: Mapping[str, Any],
    noise: Tensor,
    ways: Ways,
) -> Tensor:
    """`(k, 4, h, w)` sampler latents of a batch's sources under these AUs."""
    return sample(
        trainee.denoiser,
        make_scheduler(ways.scheduler, schedule, ways.steps),
        noise,
        background=batch.background,
        au=au,
        id_kv=IDProjection(trainee.denoiser)(trainee.features(batch.source)),
        guidance=ways.guidance,
    )


def measure_edits(
    trainee: Trainee,
    latents: Latents,
    schedule: Mapping[str, Any],
    device: torch.device | str,
    ways: Ways = Ways(),
    most: int = MOST,
) -> Edits | None:
    """The same noise at every call; None where fewer than two such pairs are held out."""
    rows = spread(latents.known_rows(), most)
    if len(rows) < 2:
        return None
    made = [
        _of_some(trainee, latents, rows[at : at + AT_ONCE], schedule, device, ways)
        for at in range(0, len(rows), AT_ONCE)
    ]
    along, whole, nearer = torch.cat(made, dim=1)
    gain = along.sum() / whole.sum()
    return Edits(
        float(gain),
        float((along - gain * whole).std() / whole.mean() / len(rows) ** 0.5),
        float((along > 0).float().mean()),
        float(nearer.mean()),
        len(rows),
    )


def _of_some(
    trainee: Trainee,
    latents: Latents,
    rows: Any,
    schedule: Mapping[str, Any],
    device: torch.device | str,
    ways: Ways,
) -> Tensor:
    """`(3, k)`: ⟨made, true⟩, ⟨true, true⟩, and whether it is nearer to the target."""
    batch = latents.take(rows, device)
    noise = initial_noise(generators(rows.tolist()), *latents.shape[1:]).to(device)
    with torch.no_grad():
        after, before = (
            edited(trainee, batch, au, schedule, noise, ways)
            for au in (batch.au, torch.zeros_like(batch.au))
        )
    source, target = (part * latents.scaling_factor for part in (batch.source, batch.target))
    true, made = (target - source).flatten(1), (after - before).flatten(1)
    to_source, to_target = ((after - end).flatten(1).norm(dim=1) for end in (source, target))
    nearer = (to_target < to_source).float()
    return torch.stack([(made * true).sum(dim=1), true.square().sum(dim=1), nearer]).cpu()
