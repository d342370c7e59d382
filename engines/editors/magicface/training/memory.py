"""What training needs of a device's memory, counted on the meta device before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from engines.editors.magicface.checkpoint import build_unet
from engines.editors.magicface.folders import read_config
from engines.editors.magicface.training.network.averages import learning
from engines.editors.magicface.training.network.optimiser import BLOCK
from engines.editors.magicface.training.network.trainee import Trainee
from engines.editors.magicface.training.recipe import Recipe
from engines.editors.magicface.training.start import Start
from engines.errors import EngineError

GB = 1e9
OVERHEAD = 1.15
"""Temporary tensors, fragmentation and libraries' workspaces, on top of what is counted: a guess,
nothing was measured on a GPU."""


@dataclass(frozen=True)
class Need:
    """Bytes on the first worker's device.

    Attributes:
        weights: both UNets, fp32; the teacher's too where guidance is distilled.
        learning: gradients, the optimiser's states and the averages of what learns.
        activations: of one pass of `micro` pairs, kept for the backward pass.
    """

    weights: float
    learning: float
    activations: float

    @property
    def total(self) -> float:
        """With `OVERHEAD`."""
        return OVERHEAD * (self.weights + self.learning + self.activations)


class _Kept:
    """Adds up the storages that autograd keeps; a tensor that is kept twice counts once."""

    def __init__(self, network: torch.nn.Module) -> None:
        self._seen = {p.untyped_storage()._cdata for p in network.parameters()}
        self._alive: list[Any] = []
        self.bytes = 0

    def add(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._seen:
            self._seen.add(key)
            self._alive.append(storage)  # or its number would be given to another
            self.bytes += storage.nbytes()
        return tensor


@lru_cache(maxsize=32)
def needed(start: Start, recipe: Recipe, image_size: int, scale: int, workers: int = 1) -> Need:
    """Bytes that a recipe needs; no weights are loaded.

    Args:
        image_size: side of the pictures; scale: pixels per latent.
        workers: over which states are shared out, where the recipe says so.
    """
    trainee = _hollow(start)
    trainee.open(replace(recipe, checkpointing=False))
    weights = 4.0 * sum(p.numel() for p in trainee.parameters())
    learnt = float(sum(p.numel() for p in learning(trainee).values()))
    kept = _activations(trainee, recipe, image_size // scale)
    copies = 4.0 * (1 + bool(recipe.ema)) + _state_bytes(recipe, workers)
    half = recipe.dtype == "bf16"
    if recipe.distils:
        weights *= 2
    return Need(
        weights * (1.5 if half else 1.0),  # autocast keeps a copy in bf16 through a pass
        copies * learnt,
        kept / (2 if half else 1),
    )


def _state_bytes(recipe: Recipe, workers: int) -> float:
    """Of both moments, per value that learns."""
    each = 1 + 4 / BLOCK if recipe.optimiser == "adamw8" else 4.0
    return 2 * each / (workers if recipe.shard_states else 1)


def _hollow(start: Start) -> Trainee:
    """Both UNets as meta tensors."""
    own = start.sd_unet
    id_folder, folder = own or start.folders.id_encoder, own or start.folders.denoiser
    id_config = read_config(id_folder)
    id_unet = build_unet(id_config, 4, id_folder)
    denoiser = build_unet({**read_config(folder), "in_channels": 8}, 8, folder)
    prompt = torch.zeros(1, 77, id_unet.config["cross_attention_dim"], device="meta")
    return Trainee(id_unet, denoiser, prompt).to("meta")


def _activations(trainee: Trainee, recipe: Recipe, side: int) -> float:
    kept, inner = _Kept(trainee), [0]

    def recomputed(module: Callable[..., Any], *given: Any) -> Any:
        """A part whose inputs alone are kept; the largest is there in full while it is redone."""
        for tensor in given:
            if isinstance(tensor, Tensor):
                kept.add(tensor)
        own = _Kept(trainee)
        with saved_tensors_hooks(own.add, lambda t: t):
            made = module(*given)
        inner[0] = max(inner[0], own.bytes)
        return made

    if recipe.checkpointing:
        for unet in trainee.unets.values():
            unet.enable_gradient_checkpointing(recomputed)
    images = torch.zeros(recipe.micro, 4, side, side, device="meta")
    au = torch.zeros(recipe.micro, 12, device="meta")
    steps = torch.zeros(recipe.micro, dtype=torch.int64, device="meta")
    with saved_tensors_hooks(kept.add, lambda t: t):
        trainee(images, images, steps, au, images)
    return float(kept.bytes + inner[0])


def check_memory(
    start: Start,
    recipe: Recipe,
    image_size: int,
    scale: int,
    there: float,
    where: str,
    workers: int = 1,
) -> Need:
    """What the recipe needs of `there` bytes on `where`.

    Raises:
        EngineError: more than is there; it says what would fit.
    """
    need = needed(start, recipe, image_size, scale, workers)
    if need.total <= there:
        return need
    fits = "nothing that this recipe offers"
    for said, smaller in _smaller(recipe, workers):
        less = needed(start, smaller, image_size, scale, workers)
        if less.total <= there:
            fits = f"{said} ({less.total / GB:.1f} GB)"
            break
    raise EngineError(
        f"training: about {need.total / GB:.1f} GB are needed (weights {need.weights / GB:.1f}, "
        f"gradients, optimiser and averages {need.learning / GB:.1f}, activations "
        f"{need.activations / GB:.1f}); {where} has {there / GB:.1f} GB free; "
        f"what would fit: {fits}"
    )


def _smaller(recipe: Recipe, workers: int) -> list[tuple[str, Recipe]]:
    """Recipes that need less, the nearest first."""
    less = replace(recipe, checkpointing=True)
    one, half = replace(less, micro=1), replace(less, micro=1, dtype="bf16")
    words = "--checkpointing --micro 1 --dtype bf16"
    bytes_words, eight = f"{words} --optimiser adamw8", replace(half, optimiser="adamw8")
    shared = replace(half, shard_states=True)
    return [
        ("--checkpointing", less),
        ("--checkpointing --micro 1", one),
        (words, half),
        *([(f"{words} --shard-states", shared)] if workers > 1 else []),
        (bytes_words, eight),
        (f"{bytes_words} --ema 0", replace(eight, ema=0.0)),
        (f"{words} --parts last-layers", replace(half, parts="last-layers")),
        (f"{words} --parts lora", replace(half, parts="lora")),
    ]
