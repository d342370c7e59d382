"""The stock VAE as an `ImageCodec`, and the pixel arithmetic on both sides of it.

Source: MagicFace (commit bcaca61), pipeline: posterior mode, no scaling on the way in.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn


class VAEEncoder(nn.Module):
    """`(F, 3, H, W)` in −1…1 → mode of the posterior `(F, 4, h, w)`, not scaled."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.encoder = vae.encoder
        self.quant_conv = vae.quant_conv or nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        moments = self.quant_conv(self.encoder(images))
        return moments.chunk(2, dim=1)[0]


class VAEDecoder(nn.Module):
    """`(F, 4, h, w)` unscaled latents → `(F, 3, H, W)`, about −1…1, not clamped."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.post_quant_conv = vae.post_quant_conv or nn.Identity()
        self.decoder = vae.decoder

    def forward(self, latents: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(latents))


class TorchCodec:
    """An `ImageCodec` from the two halves of a VAE; either may be a compiled stand-in."""

    def __init__(self, encoder: Any, decoder: Any, scaling_factor: float) -> None:
        self.encode = encoder
        self.decode = decoder
        self.scaling_factor = scaling_factor


def to_network(images: Tensor) -> Tensor:
    """RGB in 0…1 → −1…1: 2x − 1."""
    return 2.0 * images - 1.0


def to_pixels(decoded: Tensor) -> Tensor:
    """Decoded, about −1…1 → RGB clamped to 0…1: x/2 + 0.5."""
    return torch.clamp(decoded / 2 + 0.5, 0.0, 1.0)
