"""MagicFace computed the way the official code computes it: the witness, and the benchmark's base.

2N queries in every self-attention (half of the rows thrown away), the ID features normed and
projected again at every step, the ID encoder run whole and on both guidance copies, the prompt
projected at every step. Nothing in the product runs this; model/unet.py must agree.

Source: MagicFace (commit bcaca61); its fork of diffusers restated on the stock UNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor

from engines.editors.magicface.model.unet import record_block_inputs, transformer_blocks


def official_features(
    id_unet: UNet2DConditionModel, source_latents: Tensor, prompt_embeds: Tensor
) -> list[Tensor]:
    """16 ID features of `(B, 4, h, w)` latents from one whole forward pass at timestep 0."""
    prompt = prompt_embeds.expand(source_latents.shape[0], -1, -1)
    with record_block_inputs(id_unet) as features:
        id_unet(source_latents, 0, prompt, return_dict=False)
    return features


def official_scheduler(ours: Any, steps: int) -> UniPCMultistepScheduler:
    """The stock UniPC with the configuration of ours, its timesteps set."""
    config = {name: value for name, value in ours.config.items() if not name.startswith("_")}
    scheduler = UniPCMultistepScheduler(**config)
    scheduler.set_timesteps(steps)
    return scheduler


class OfficialDenoiser:
    """A stock 8-channel UNet whose blocks attend to `cat(x, feature)` and keep the first N."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        self.unet = unet
        self._features: Sequence[Tensor] = ()
        for index, block in enumerate(transformer_blocks(unet)):
            block.forward = partial(self._block_forward, block, index)

    def _block_forward(
        self, block: Any, index: int, hidden_states: Tensor, *_: Any, **inputs: Any
    ) -> Tensor:
        tokens = torch.cat([hidden_states, self._features[index]], dim=1)
        tokens = block.attn1(block.norm1(tokens)) + tokens
        x = tokens[:, : hidden_states.shape[1]]
        prompt = inputs["encoder_hidden_states"]
        x = block.attn2(block.norm2(x), encoder_hidden_states=prompt) + x
        return block.ff(block.norm3(x)) + x

    def __call__(
        self,
        latents: Tensor,
        background: Tensor,
        timestep: Tensor | int,
        au: Tensor,
        *,
        features: Sequence[Tensor],
        prompt_embeds: Tensor,
    ) -> Tensor:
        """Predict eps `(B, 4, h, w)`; features are `(B, N_i, C_i)`, one per row of the batch."""
        self._features = features
        prompt = prompt_embeds.expand(latents.shape[0], -1, -1)
        sample = torch.cat([latents, background], dim=1)
        return self.unet(sample, timestep, prompt, class_labels=au, return_dict=False)[0]
