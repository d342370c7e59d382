"""The denoiser with its deep layers reused between steps: they change little from one to the next.

A full step also gives what enters the last but one layer of the last stage; a shallow step runs the
two layers from there on, with this step's own latents, time and AUs.

Source: Ma, Fang, Wang, "DeepCache: Accelerating Diffusion Models for Free", CVPR 2024. How pictures
fare with MagicFace's released weights is unproven.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engines.editors.magicface.model.networks import IDKeyValues
from engines.editors.magicface.model.unet import DenoiserUNet

FIRST = 1
"""Layer of the last stage from which on a shallow step runs."""


class FullStep(nn.Module):
    """The denoiser, which also gives what its last layers are made from."""

    def __init__(self, denoiser: DenoiserUNet) -> None:
        super().__init__()
        self.denoiser = denoiser
        self._entering: list[Tensor] = []
        _last_stage(denoiser).resnets[FIRST].register_forward_pre_hook(self._enter)

    def _enter(self, _layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._entering.append(inputs[0])

    def forward(
        self,
        latents: Tensor,
        background: Tensor,
        timestep: Tensor,
        au: Tensor,
        id_kv: IDKeyValues,
    ) -> tuple[Tensor, Tensor]:
        """As a `Denoiser`'s call → eps, and the deep features `(B, C, h, w)`."""
        self._entering.clear()
        eps = self.denoiser(latents, background, timestep, au, id_kv)
        deep = self._entering[0]
        self._entering.clear()
        return eps, deep


class ShallowStep(nn.Module):
    """The denoiser's last layers, on deep features of an earlier step."""

    def __init__(self, denoiser: DenoiserUNet) -> None:
        super().__init__()
        self.denoiser = denoiser

    def forward(
        self,
        latents: Tensor,
        background: Tensor,
        timestep: Tensor,
        au: Tensor,
        id_kv: IDKeyValues,
        deep: Tensor,
    ) -> Tensor:
        """As a `Denoiser`'s call, with `deep` as a full step of the same rows gave it → eps."""
        unet: Any = self.denoiser.unet
        given = torch.cat([latents, background], dim=1)
        time = unet.time_embedding(unet.get_time_embed(sample=given, timestep=timestep), None)
        time = time + unet.get_class_embed(sample=given, class_labels=au)
        skip, hidden = unet.conv_in(given), deep
        stage = _last_stage(self.denoiser)
        layers = list(zip(stage.resnets, stage.attentions, strict=True))[FIRST:]
        for number, (resnet, attention) in enumerate(layers):
            if number:
                hidden = torch.cat([hidden, skip], dim=1)
            hidden = attention(
                resnet(hidden, time),
                encoder_hidden_states=None,
                cross_attention_kwargs={"id_kv": id_kv},
                return_dict=False,
            )[0]
        return unet.conv_out(unet.conv_act(unet.conv_norm_out(hidden)))


def _last_stage(denoiser: DenoiserUNet) -> Any:
    return denoiser.unet.up_blocks[-1]
