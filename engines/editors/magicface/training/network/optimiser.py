"""AdamW as a recipe asks for it: states of 32 or 8 bits, of everything or of a worker's share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from engines.editors.magicface.training.recipe import Recipe

BLOCK = 256
"""Values that share a scale."""
_MEAN_CODES, _SQUARE_CODES = 127, 255
_MEAN_POWER, _SQUARE_POWER = 2, 4
"""A code c of C stands for (c/C)^power of its block's largest: small values keep their ratio."""


def make_optimiser(recipe: Recipe, parameters: Iterable[nn.Parameter], workers: int) -> Optimizer:
    """AdamW or AdamW8 over these; with `shard_states` each of several workers holds its share."""
    kind: Any = AdamW8 if recipe.optimiser == "adamw8" else AdamW
    said = {
        "lr": recipe.lr,
        "betas": (0.9, recipe.beta2),
        "weight_decay": recipe.weight_decay,
    }
    if recipe.shard_states and workers > 1:
        from torch.distributed.optim import ZeroRedundancyOptimizer  # its import is slow and warns

        return ZeroRedundancyOptimizer(list(parameters), kind, **said)
    return kind(parameters, **said)


def gather_states(optimiser: Optimizer) -> None:
    """Brings shards to the first worker; every worker calls it before a checkpoint."""
    gather = getattr(optimiser, "consolidate_state_dict", None)
    if gather is not None:
        gather(to=0)


class AdamW8(Optimizer):
    """AdamW whose two moments are kept as a byte per value, with a float32 scale per 256.

    Rounding is up or down by chance, so that on average nothing is lost of a change smaller than a
    code; chance comes of the step and the size, so that resumed and shared-out runs are exact.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019; blocks after
    Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2022, with power codes.
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:  # noqa: ARG002
        """One step, as torch's AdamW makes it."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(group, parameter, parameter.grad)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Torch makes floats of codes on the way: they become bytes again."""
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state["mean"] = state["mean"].to(torch.int8)
            state["square"] = state["square"].to(torch.uint8)

    def _update(self, group: dict[str, Any], parameter: nn.Parameter, grad: Tensor) -> None:
        state = self.state[parameter]
        if not state:
            state.update(_empty(parameter))
        state["step"] += 1
        number = int(state["step"])
        rate, (beta1, beta2) = group["lr"], group["betas"]
        mean = _decoded(state["mean"], state["mean_scale"], _MEAN_CODES, _MEAN_POWER)
        square = _decoded(state["square"], state["square_scale"], _SQUARE_CODES, _SQUARE_POWER)
        flat = _blocks(grad.float())
        mean.lerp_(flat, 1 - beta1)
        square.mul_(beta2).addcmul_(flat, flat, value=1 - beta2)
        root = (square / (1 - beta2**number)).sqrt_().add_(group["eps"])
        change = (mean / (1 - beta1**number) / root).flatten()[: parameter.numel()]
        parameter.mul_(1 - rate * group["weight_decay"])
        parameter.sub_(rate * change.view_as(parameter))
        chance = torch.Generator(parameter.device).manual_seed(number * 1_000_003 + len(flat))
        for name, values, codes, power in (
            ("mean", mean, _MEAN_CODES, _MEAN_POWER),
            ("square", square, _SQUARE_CODES, _SQUARE_POWER),
        ):
            state[name], state[f"{name}_scale"] = _coded(values, codes, power, chance)


def _empty(parameter: Tensor) -> dict[str, Tensor]:
    blocks = -(-parameter.numel() // BLOCK)
    at = parameter.device
    return {
        "step": torch.zeros((), dtype=torch.float32),
        "mean": torch.zeros(blocks, BLOCK, dtype=torch.int8, device=at),
        "mean_scale": torch.zeros(blocks, 1, device=at),
        "square": torch.zeros(blocks, BLOCK, dtype=torch.uint8, device=at),
        "square_scale": torch.zeros(blocks, 1, device=at),
    }


def _blocks(values: Tensor) -> Tensor:
    """`(B, 256)`, filled up with zeros."""
    flat = values.flatten()
    return nn.functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)


def _decoded(codes: Tensor, scale: Tensor, most: int, power: int) -> Tensor:
    share = codes.float() / most
    return share.abs().pow(power) * share.sign() * scale


def _coded(values: Tensor, most: int, power: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Codes and their blocks' scales; the mean of many codings is the value.

    A square that is not 0 never becomes 0: a step divides by its root.
    """
    scale = values.abs().amax(dim=1, keepdim=True)
    share = values.abs() / scale.clamp(min=torch.finfo(torch.float32).tiny)
    low = (share.pow(1 / power) * most).floor().clamp(max=most - 1)
    below, above = (low / most).pow(power), ((low + 1) / most).pow(power)
    up = torch.rand(share.shape, generator=chance, device=share.device) * (above - below)
    code = low + (share - below > up)
    if most == _SQUARE_CODES:
        code = torch.where(values > 0, code.clamp(min=1), code)
        return code.to(torch.uint8), scale
    return (code * values.sign()).to(torch.int8), scale
