"""Both UNets as one network that learns, and as the two folders that the editor loads.

The forward pass is the editor's own (model/unet.py), with the prompt's projections left open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrize

from engines.editors.magicface.model.unet import (
    DenoiserUNet,
    IDFeatures,
    IDProjection,
    live_prompt,
    transformer_blocks,
)
from engines.editors.magicface.training.network.au_encoders import (
    AU_LAYER,
    MLP_CONV_CHANNELS,
    MLPConvDenoiser,
)
from engines.editors.magicface.training.recipe import Recipe

OFFICIAL_AU_LAYER = "au_aug_mlp."
_CLASS_KEYS = ("class_embed_type", "projection_class_embeddings_input_dim")


class LowRank(nn.Module):
    """W + B·A: a change of rank r to a `(out, in)` weight, none at the start.

    Source: Hu et al., "LoRA", 2021 (with α = r).
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        rank = min(rank, rows, columns)
        self.down = nn.Parameter(torch.randn(rank, columns, device=weight.device) / rank**0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


class Trainee(nn.Module):
    """(noised latents, background, timesteps, AUs, source latents) → eps.

    Takes the UNets over. What follows the ID encoder's last tap is dead work: it is cut off, kept
    aside, and put back where the weights are saved.
    """

    def __init__(
        self, id_unet: UNet2DConditionModel, denoiser: UNet2DConditionModel, prompt_embeds: Tensor
    ) -> None:
        """`denoiser` is one of `denoiser_from`."""
        super().__init__()
        whole = {name: tensor.detach() for name, tensor in id_unet.state_dict().items()}
        self.features = IDFeatures(id_unet, prompt_embeds, live_prompt)
        self.tail = {name: whole[name] for name in whole.keys() - id_unet.state_dict().keys()}
        self._sees_maps = denoiser.config["in_channels"] == MLP_CONV_CHANNELS
        kind = MLPConvDenoiser if self._sees_maps else DenoiserUNet
        self.denoiser = kind(denoiser, prompt_embeds, live_prompt)
        self._projection = (IDProjection(self.denoiser),)  # its layers are the denoiser's own

    def forward(
        self, latents: Tensor, background: Tensor, timesteps: Tensor, au: Tensor, source: Tensor
    ) -> Tensor:
        id_kv = self._projection[0](self.features(source))
        return self.denoiser(latents, background, timesteps, au, id_kv)

    @property
    def unets(self) -> dict[str, UNet2DConditionModel]:
        """By their folders' names in the official layout."""
        return {"ID_enc": self.features.unet, "denoising_unet": self.denoiser.unet}

    def open(self, recipe: Recipe) -> None:
        """Choose what learns, and how its activations are kept."""
        self.requires_grad_(recipe.parts == "all")
        denoiser: Any = self.denoiser.unet
        if recipe.parts == "last-layers":
            for part in (denoiser.up_blocks, denoiser.conv_norm_out, denoiser.conv_out):
                part.requires_grad_(True)
        if recipe.parts == "lora":
            self._add_low_rank(recipe)
        for layer in self._au_layers():
            layer.requires_grad_(recipe.au_encoder != "zero-append+time")
        for unet in self.unets.values():
            if recipe.checkpointing:
                unet.enable_gradient_checkpointing()
        self.train()

    def _au_layers(self) -> list[nn.Module]:
        """What the AU vector meets first."""
        unet: Any = self.denoiser.unet
        return [unet.au_mlp, unet.conv_in] if self._sees_maps else [unet.class_embedding]

    def _add_low_rank(self, recipe: Recipe) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            for layer in self._attention_projections():
                change = LowRank(layer.weight, recipe.rank)
                parametrize.register_parametrization(layer, "weight", change)

    def _attention_projections(self) -> list[nn.Linear]:
        return [
            layer
            for unet in self.unets.values()
            for block in transformer_blocks(unet)
            for name, layer in block.named_modules()
            if isinstance(layer, nn.Linear) and name.startswith("attn")
        ]

    def official_state(self) -> dict[str, dict[str, Tensor]]:
        """Folder → tensors under their official names; low-rank changes are worked in."""
        states = {name: _merged_state(unet) for name, unet in self.unets.items()}
        states["ID_enc"] |= self.tail
        return states


def _merged_state(unet: nn.Module) -> dict[str, Tensor]:
    plain = {
        name: tensor
        for name, tensor in unet.state_dict().items()
        if ".parametrizations." not in name
    }
    changed = {
        f"{name}.weight": layer.weight.detach()
        for name, layer in cast("Any", unet).named_modules()
        if parametrize.is_parametrized(layer, "weight")
    }
    return plain | changed


def official_config(unet: UNet2DConditionModel) -> dict[str, Any]:
    """What the official config.json says of a UNet."""
    known = {name: value for name, value in unet.config.items() if not name.startswith("_")}
    return {name: value for name, value in known.items() if name not in _CLASS_KEYS}


def write_official(
    folder: Path, states: Mapping[str, Mapping[str, Tensor]], configs: Mapping[str, dict[str, Any]]
) -> None:
    """ID_enc and denoising_unet as the editor loads them, fp32."""
    for name, tensors in states.items():
        part = folder / name
        part.mkdir(parents=True)
        (part / "config.json").write_text(json.dumps(configs[name], indent=1), encoding="utf-8")
        ready = {
            key.replace(AU_LAYER, OFFICIAL_AU_LAYER): tensor.detach().to("cpu", torch.float32)
            for key, tensor in tensors.items()
        }
        save_file(
            {key: tensor.contiguous() for key, tensor in ready.items()},
            part / "diffusion_pytorch_model.safetensors",
        )
