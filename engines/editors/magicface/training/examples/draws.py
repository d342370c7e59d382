"""Every random number of training, by (seed, step, place in the batch).

Nothing depends on who computes it or on what was drawn before: one worker and many, a run in one
piece and one that was resumed see the same pairs, timesteps and noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.editors.magicface.sampling.sampler import generators
from engines.editors.magicface.training.recipe import Recipe
from keyframes.au import AU_ORDER

TIMESTEPS = 1000


@dataclass(frozen=True)
class Draws:
    """Of k places.

    Attributes:
        rows: `(k,)` which of the training pairs, 0…pairs − 1.
        timesteps: `(k,)` int64, uniform in 0…999.
        noise: `(k, 4, h, w)` standard normal.
        au_noise: `(k, 12)` standard normal.
        dropped: `(k,)` whether the AU vector becomes zeros.
    """

    rows: NDArray[np.int64]
    timesteps: Tensor
    noise: Tensor
    au_noise: Tensor
    dropped: Tensor


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, pairs: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(pairs)


def draw(
    recipe: Recipe, step: int, places: Sequence[int], pairs: int, shape: tuple[int, ...]
) -> Draws:
    """What some places of a step's batch train on; every pair comes once per epoch.

    Args:
        pairs: how many there are to train on.
        shape: `(4, h, w)` of the latents.
    """
    at = [divmod(step * recipe.batch + place, pairs) for place in places]
    seeds = [
        int(np.random.SeedSequence([recipe.seed, step, place]).generate_state(1, np.uint64)[0])
        for place in places
    ]
    sources = generators(seeds)
    return Draws(
        np.array([_order(recipe.seed, epoch, pairs)[within] for epoch, within in at]),
        torch.stack([torch.randint(TIMESTEPS, (), generator=source) for source in sources]),
        torch.stack([torch.randn(shape, generator=source) for source in sources]),
        torch.stack([torch.randn(len(AU_ORDER), generator=source) for source in sources]),
        torch.stack([torch.rand((), generator=source) for source in sources]) < recipe.au_dropout,
    )


def condition(au: Tensor, draws: Draws, zero_noise: float) -> Tensor:
    """The `(k, 12)` AU vectors that the network is shown.

    Dropped ones are exact zeros; all-zero ones that are not dropped are N(0, zero_noise²), so that
    zeros mean "nothing said" and not "change nothing" (MagicFace, section III-D).
    """
    rest = (au == 0).all(dim=1, keepdim=True)
    shown = torch.where(rest, zero_noise * draws.au_noise.to(au), au)
    return torch.where(draws.dropped.to(au.device)[:, None], 0.0, shown)
