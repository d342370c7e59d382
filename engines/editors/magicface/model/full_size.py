"""MagicFace's networks at real size without any weights: of meta tensors, or random.

Source: the published configs of Stable Diffusion 1.5 (unet, vae) and MagicFace's channel counts.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from engines.editors.magicface.checkpoint import PROMPT_TOKENS
from keyframes.au import AU_ORDER

PROMPT_CHANNELS = 768
LATENT_SIZE = 64
"""Latents along each side of the native 512-pixel image."""


def unet(in_channels: int) -> UNet2DConditionModel:
    """SD 1.5's UNet (859.5 M parameters) with 4 (ID encoder) or 8 (denoiser) input channels."""
    steered: dict[str, Any] = {}
    if in_channels == 8:
        steered = {
            "class_embed_type": "simple_projection",
            "projection_class_embeddings_input_dim": len(AU_ORDER),
        }
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=in_channels,
        cross_attention_dim=PROMPT_CHANNELS,
        attention_head_dim=8,
        **steered,
    ).eval()


def vae() -> AutoencoderKL:
    """SD 1.5's VAE (83.7 M parameters)."""
    network: Any = AutoencoderKL  # its annotations allow one block only
    return network(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        sample_size=8 * LATENT_SIZE,
        scaling_factor=0.18215,
    ).eval()


def prompt_embeds(seed: int = 0) -> Tensor:
    """A stand-in for the prompt, `(1, 77, 768)` fp32 on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((1, PROMPT_TOKENS, PROMPT_CHANNELS), generator=generator)


def randomise(network: nn.Module, seed: int, device: torch.device) -> None:
    """Fill meta tensors with seeded fp32 numbers of a sane scale, on the device.

    Much faster than the layers' own initialisation; the same numbers on the same kind of device.
    """
    generator = torch.Generator(device).manual_seed(seed)
    network.to_empty(device=device)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1:
                bound = (3 / weight[0].numel()) ** 0.5
                weight.uniform_(-bound, bound, generator=generator)
            else:
                weight.fill_(float(name.endswith("weight")))
