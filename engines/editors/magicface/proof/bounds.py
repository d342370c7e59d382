"""How far a recomputed quantity may lie from the official one, in each precision.

In float32 the bounds are fixed. In half precision no fixed bound is any good: of two sets of random
networks one amplifies the same rounding forty times as much as the other. There, each quantity's
bound is what rounding alone does to it in this very set: the networks run in float32 with every
layer's input, output and weights rounded to the half precision, and again without. What half
precision really gave was 0.6 to 2.5 times that (11 sets of networks, fp16 and bf16, on a CPU).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from engines.devices.precision import round_layers
from engines.editors.magicface.model.torch_networks import TorchModules
from engines.editors.magicface.proof.golden import Recomputed

TOLERANCES = {
    "exact": 0.0,
    "preprocessed": 1e-6,
    "sigmas": 1e-6,
    "vae": 1e-5,
    "forward": 1e-5,
    "features": 5e-5,
    "prompt": 5e-5,
    "latents": 1e-5,
    "decoded": 2e-5,
    "png": 1.0,
}
"""Largest deviation per kind in float32, as `deviation` measures it."""
NETWORK_KINDS = frozenset({"vae", "forward", "features", "latents", "decoded", "png"})
"""Kinds that half precision changes; the others are computed in float32 or integers."""
ROUNDING_FACTOR = 3.0
"""Bound in half precision = this × what simulated rounding does."""


def relative(apart: Tensor, expected: Tensor) -> float:
    """Largest of `apart` over the peak of `expected`."""
    peak = float(expected.abs().max())
    return float(apart.max()) / peak if peak else float(apart.max())


def largest_relative(kind: str, apart: Tensor, expected: Tensor) -> float:
    """`relative`; for latents after each step (5-d) the worst step, each against its own peak."""
    if kind == "latents" and expected.ndim == 5:
        steps = zip(apart.unbind(1), expected.unbind(1), strict=True)
        return max(relative(*step) for step in steps)
    return relative(apart, expected)


def deviation(kind: str, ours: Tensor, expected: Tensor) -> float:
    """What is held against the bound: `latents` relative, PNGs in grey levels, all else absolute,
    or relative where the expected values exceed 1."""
    theirs = expected.double().cpu()
    apart = (ours.double().cpu() - theirs).abs()
    if kind == "latents":
        return largest_relative(kind, apart, theirs)
    return float(apart.max()) / (1.0 if kind == "png" else max(float(theirs.abs().max()), 1.0))


def round_every_layer(modules: TorchModules, dtype: torch.dtype) -> TorchModules:
    """Make half-precision networks compute in float32, rounding what enters and leaves each layer.

    Args:
        modules: in the half precision, so that their weights are rounded; taken over.
        dtype: the half precision.
    """
    parts = (modules.id_encoder, modules.denoiser, modules.vae_encoder, modules.vae_decoder)
    for part in parts:
        part.float()
    # one list: the ID encoder ends in layers of the denoiser, which are rounded once
    round_layers(nn.ModuleList(parts), dtype)
    return modules


class Bounds:
    """The bound of each quantity of a set.

    Args:
        exact, rounded: the set recomputed in float32 by plain networks and by those of
            `round_every_layer`; None for the fixed bounds of float32.
    """

    def __init__(self, exact: Recomputed | None = None, rounded: Recomputed | None = None) -> None:
        self._pair = None if exact is None or rounded is None else (exact, rounded)

    def of(self, quantity: str, kind: str) -> float:
        """Largest `deviation` allowed of a quantity that `Recomputed.find` knows."""
        fixed = TOLERANCES[kind]
        if self._pair is None or kind not in NETWORK_KINDS:
            return fixed
        exact, rounded = (found[1] for each in self._pair if (found := each.find(quantity)))
        moved = deviation(kind, rounded, exact)
        return max(fixed, ROUNDING_FACTOR * moved) if math.isfinite(moved) else fixed
