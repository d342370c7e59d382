"""The ID encoder and the denoiser: stock SD-1.5 UNets, tapped and steered, never forked.

Source: MagicFace (commit bcaca61), its two UNet classes; the algebra keeps every number and drops
the work whose result nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from engines.editors.magicface.model.attention import (
    IDSelfAttention,
    LivePrompt,
    PromptCrossAttention,
    split_heads,
)
from engines.editors.magicface.model.networks import IDKeyValues


def transformer_blocks(unet: UNet2DConditionModel) -> list[Any]:
    """The UNet's transformer blocks in execution order: down, mid, up (16 in SD 1.5)."""
    stages = [*unet.down_blocks, unet.mid_block, *unet.up_blocks]
    return [
        block
        for stage in stages
        for transformer in getattr(stage, "attentions", ())
        for block in transformer.transformer_blocks
    ]


@contextmanager
def record_block_inputs(unet: UNet2DConditionModel) -> Iterator[list[Tensor]]:
    """Collect what enters each transformer block (before its norm1) while the context is open.

    Yields:
        A list that a forward pass fills with one `(B, N_i, C_i)` residual stream per block, in
        execution order.
    """
    recorded: list[Tensor] = []

    def record(_block: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        recorded.append(inputs[0])

    hooks = [block.register_forward_pre_hook(record) for block in transformer_blocks(unet)]
    try:
        yield recorded
    finally:
        for hook in hooks:
            hook.remove()


class _EndOfTaps(nn.Module):
    """Stands where the last tapped block stood: what follows a tap nobody reads is not computed."""

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden_states


def _cut_after_last_tap(unet: UNet2DConditionModel) -> None:
    last = cast("Any", unet.up_blocks[-1]).attentions[-1]
    last.transformer_blocks[-1] = _EndOfTaps()
    last.proj_out = nn.Identity()
    unet.conv_norm_out = None
    cast("Any", unet).conv_out = nn.Identity()


def bake_prompt(unet: UNet2DConditionModel, prompt_embeds: Tensor) -> None:
    """Turn the UNet's cross-attention keys and values into constants of `(1, 77, C)` embeddings."""
    for block in transformer_blocks(unet):
        block.attn2.set_processor(PromptCrossAttention(block.attn2, prompt_embeds))


def live_prompt(unet: UNet2DConditionModel, prompt_embeds: Tensor) -> None:
    """Give the UNet the one prompt, and leave its projections open to training."""
    for block in transformer_blocks(unet):
        block.attn2.set_processor(LivePrompt(prompt_embeds))


GivePrompt = Callable[[UNet2DConditionModel, Tensor], None]
"""`bake_prompt` where networks run, `live_prompt` where they are trained."""


class IDFeatures(nn.Module):
    """The ID encoder up to its last tap: one pass at timestep 0, without AUs.

    Takes the UNet over: gives it the prompt and cuts off what follows the last tap.
    """

    timestep: Tensor

    def __init__(
        self,
        unet: UNet2DConditionModel,
        prompt_embeds: Tensor,
        give_prompt: GivePrompt = bake_prompt,
    ) -> None:
        super().__init__()
        give_prompt(unet, prompt_embeds)
        _cut_after_last_tap(unet)
        for block in transformer_blocks(unet)[:-1]:
            block.attn1.set_processor(IDSelfAttention(0))
        self.unet = unet
        self._taps: list[Tensor] = []
        for block in transformer_blocks(unet):  # for good: torch.compile cannot hook while tracing
            block.register_forward_pre_hook(self._tap)
        self.register_buffer("timestep", torch.zeros((), dtype=torch.int64), persistent=False)

    def _tap(self, _block: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._taps.append(inputs[0])

    def forward(self, source_latents: Tensor) -> tuple[Tensor, ...]:
        """`(F, 4, h, w)` clean source latents, not scaled → 16 features `(F, N_i, C_i)`."""
        self._taps.clear()
        self.unet(source_latents, self.timestep, None, return_dict=False)
        features = tuple(self._taps)
        self._taps.clear()
        return features


class DenoiserUNet(nn.Module):
    """The 8-channel UNet with the AU vector as its class label; a `Denoiser`."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        prompt_embeds: Tensor,
        give_prompt: GivePrompt = bake_prompt,
    ) -> None:
        """Take the UNet over: give it the prompt and let every block see the identity."""
        super().__init__()
        give_prompt(unet, prompt_embeds)
        for index, block in enumerate(transformer_blocks(unet)):
            block.attn1.set_processor(IDSelfAttention(index))
        self.unet = unet

    def forward(
        self,
        latents: Tensor,
        background: Tensor,
        timestep: Tensor,
        au: Tensor,
        id_kv: IDKeyValues,
    ) -> Tensor:
        return self.unet(
            torch.cat([latents, background], dim=1),
            timestep,
            None,
            class_labels=au,
            cross_attention_kwargs={"id_kv": id_kv},
            return_dict=False,
        )[0]


class IDProjection(nn.Module):
    """Features → keys and values by the *denoiser's* norm1, to_k and to_v (shared, not copied)."""

    def __init__(self, denoiser: DenoiserUNet) -> None:
        super().__init__()
        blocks = transformer_blocks(denoiser.unet)
        self.norms = nn.ModuleList(block.norm1 for block in blocks)
        self.keys = nn.ModuleList(block.attn1.to_k for block in blocks)
        self.values = nn.ModuleList(block.attn1.to_v for block in blocks)
        self.heads = [block.attn1.heads for block in blocks]

    def forward(self, features: tuple[Tensor, ...]) -> IDKeyValues:
        """16 features `(F, N_i, C_i)` → 16 pairs `(F, heads_i, N_i, d_i)`."""
        layers = zip(features, self.norms, self.keys, self.values, self.heads, strict=True)
        return tuple(
            (split_heads(to_k(normed), heads), split_heads(to_v(normed), heads))
            for normed, to_k, to_v, heads in (
                (norm(feature), to_k, to_v, heads) for feature, norm, to_k, to_v, heads in layers
            )
        )


class IDEncoderUNet(nn.Module):
    """Source latents → ID keys and values; an `IDEncoder`."""

    def __init__(self, features: IDFeatures, projection: IDProjection) -> None:
        super().__init__()
        self.features = features
        self.projection = projection

    def forward(self, source_latents: Tensor) -> IDKeyValues:
        return self.projection(self.features(source_latents))
