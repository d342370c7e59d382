"""The paper's three ways to show AUs to the denoiser (Table III), made from one checkpoint.

`linear+time` is the released model's. `zero-append+time` has the same keys: its linear layer is the
identity over zeros and never learns, so the editor runs it as it is. `mlp+conv` has channels and
keys of its own, which the official layout has no place for: training loads it back, the editor
refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from engines.editors.magicface.checkpoint import build_unet, load_strictly
from engines.editors.magicface.model.networks import IDKeyValues
from engines.editors.magicface.model.unet import DenoiserUNet
from engines.errors import EngineError
from keyframes.au import AU_ORDER

AU_MAPS = len(AU_ORDER)
"""Channels that `mlp+conv` joins to the latents and the background."""
MLP_CONV_CHANNELS = 8 + AU_MAPS
AU_LAYER = "class_embedding."
"""Diffusers' name of what `au_aug_mlp.` is in the official files."""
_HIDDEN = 64


class MLPConvDenoiser(DenoiserUNet):
    """A denoiser that sees the AUs as maps of one value each, by its first convolution."""

    def forward(
        self,
        latents: Tensor,
        background: Tensor,
        timestep: Tensor,
        au: Tensor,
        id_kv: IDKeyValues,
    ) -> Tensor:
        maps = cast("Any", self.unet).au_mlp(au)[:, :, None, None]
        return self.unet(
            torch.cat([latents, background, maps.expand(-1, -1, *latents.shape[2:])], dim=1),
            timestep,
            None,
            cross_attention_kwargs={"id_kv": id_kv},
            return_dict=False,
        )[0]


def denoiser_from(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], au_encoder: str, where: Path
) -> UNet2DConditionModel:
    """The denoiser's UNet with the asked-for AU encoder, ready to learn.

    What the start does not have begins at zero (new input channels, the AU layer), so that the
    first step computes what the start computed.

    Args:
        config: of a UNet with 4 channels (SD 1.5), 8 (MagicFace) or `MLP_CONV_CHANNELS`.
        tensors: its state in diffusers' names.
        where: for messages.
    Raises:
        EngineError: tensors that are not of that config; an AU encoder that cannot come of it.
    """
    maps = au_encoder == "mlp+conv"
    if config.get("in_channels") == MLP_CONV_CHANNELS and not maps:
        raise EngineError(f"{where}: has the AU encoder mlp+conv; got {au_encoder} to go on with")
    channels = MLP_CONV_CHANNELS if maps else 8
    unet = build_unet({**config, "in_channels": channels}, channels, where)
    ready = {name: t.float() for name, t in tensors.items() if not name.startswith(AU_LAYER)}
    if "conv_in.weight" in ready:
        ready["conv_in.weight"] = _widened(ready["conv_in.weight"], channels)
    if maps:
        mlp = cast("Any", unet).au_mlp = _new_mlp()
        ready = {f"au_mlp.{name}": t for name, t in mlp.state_dict().items()} | ready
    else:
        width = unet.state_dict()["class_embedding.bias"].shape[0]
        ready |= _au_layer(tensors, width, au_encoder)
    load_strictly(unet, ready, str(where))
    return unet.requires_grad_(True)


def _new_mlp() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # a start is the same start every time
        return nn.Sequential(
            nn.Linear(len(AU_ORDER), _HIDDEN), nn.SiLU(), nn.Linear(_HIDDEN, AU_MAPS)
        )


def _widened(weight: Tensor, channels: int) -> Tensor:
    """A convolution's `(out, in, 3, 3)` weight with input channels of zeros behind its own."""
    out, own, *kernel = weight.shape
    return torch.cat([weight, weight.new_zeros(out, max(0, channels - own), *kernel)], dim=1)


def _au_layer(tensors: Mapping[str, Tensor], width: int, au_encoder: str) -> dict[str, Tensor]:
    weight, bias = f"{AU_LAYER}weight", f"{AU_LAYER}bias"
    if au_encoder == "zero-append+time":
        return {weight: torch.eye(width, len(AU_ORDER)), bias: torch.zeros(width)}
    own = {name: t.float() for name, t in tensors.items() if name.startswith(AU_LAYER)}
    return {weight: torch.zeros(width, len(AU_ORDER)), bias: torch.zeros(width)} | own
