"""MagicFace's networks as eager torch modules, from a complete set of weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from engines.editors.magicface import checkpoint
from engines.editors.magicface.folders import WeightFolders
from engines.editors.magicface.model.unet import (
    DenoiserUNet,
    IDEncoderUNet,
    IDFeatures,
    IDProjection,
    transformer_blocks,
)
from engines.editors.magicface.model.vae import VAEDecoder, VAEEncoder
from engines.errors import EngineError

VAE_SCALE = 8
"""Pixels per latent along each side."""


@dataclass(frozen=True)
class TorchModules:
    """The networks module by module: what gets compiled, captured or exported.

    Attributes:
        id_encoder: source latents → ID keys and values (features and projection inside).
        denoiser: the steered UNet.
        vae_encoder, vae_decoder: the halves of the codec.
        prompt_embeds: `(1, 77, C)` fp32 on the CPU.
        scaling_factor: of the VAE.
        image_size: native side in pixels.
    """

    id_encoder: IDEncoderUNet
    denoiser: DenoiserUNet
    vae_encoder: VAEEncoder
    vae_decoder: VAEDecoder
    prompt_embeds: Tensor
    scaling_factor: float
    image_size: int

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.denoiser.unet.device

    @property
    def dtype(self) -> torch.dtype:
        """Of all networks' numbers."""
        return self.denoiser.unet.dtype


def _check_parts(
    id_unet: UNet2DConditionModel, denoiser: UNet2DConditionModel, prompt_embeds: Tensor
) -> None:
    def widths(unet: UNet2DConditionModel) -> list[int]:
        return [block.norm1.normalized_shape[0] for block in transformer_blocks(unet)]

    if widths(id_unet) != widths(denoiser):
        raise EngineError(
            "ID_enc and denoising_unet do not belong together: their transformer blocks are "
            f"{widths(id_unet)} and {widths(denoiser)} channels wide"
        )
    given = prompt_embeds.shape[-1]
    for name, unet in (("ID_enc", id_unet), ("denoising_unet", denoiser)):
        wanted = unet.config["cross_attention_dim"]
        if wanted != given:
            raise EngineError(f"text_encoder gives {given} channels; {name} expects {wanted}")


def assemble(
    id_unet: UNet2DConditionModel,
    denoiser_unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    prompt_embeds: Tensor,
) -> TorchModules:
    """Put the parts together, where they are and in their dtype; both UNets are taken over.

    Raises:
        EngineError: parts that do not fit each other.
    """
    _check_parts(id_unet, denoiser_unet, prompt_embeds)
    with torch.no_grad():
        baked = prompt_embeds.to(denoiser_unet.device, denoiser_unet.dtype)
        denoiser = DenoiserUNet(denoiser_unet, baked)
        features = IDFeatures(id_unet, baked).to(id_unet.device)
    return TorchModules(
        id_encoder=IDEncoderUNet(features, IDProjection(denoiser)).eval(),
        denoiser=denoiser.eval(),
        vae_encoder=VAEEncoder(vae).eval(),
        vae_decoder=VAEDecoder(vae).eval(),
        prompt_embeds=prompt_embeds,
        scaling_factor=float(vae.config["scaling_factor"]),
        image_size=int(denoiser_unet.config["sample_size"] or 64) * VAE_SCALE,
    )


def load_modules(
    folders: WeightFolders,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> TorchModules:
    """Load all networks strictly, bake the prompt in and move them to the device.

    Raises:
        EngineError: a file that does not fit, or parts that do not fit each other.
    """
    prompt_embeds = checkpoint.load_prompt(folders)
    id_unet = checkpoint.load_id_unet(folders.id_encoder, dtype)
    denoiser_unet = checkpoint.load_denoiser_unet(folders.denoiser, dtype)
    vae = checkpoint.load_vae(folders.vae, dtype)
    parts: list[nn.Module] = [id_unet, denoiser_unet, vae]
    for part in parts:
        part.to(device)
    return assemble(id_unet, denoiser_unet, vae, prompt_embeds)
