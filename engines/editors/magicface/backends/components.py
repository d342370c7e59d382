"""The four networks with flat, named inputs and outputs: what is exported, built and called.

A graph knows tensors by name only, so the ID keys and values become 32 names. All tensors but the
timestep have the batch first; it is the one dynamic dimension. Inside one graph every input has
the same batch B: a caller that shares F frames' keys and values between guidance halves repeats
them (engines/editors/magicface/backends/adapters.py).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.editors.magicface.backends.adapters import flatten_kv, pair_kv
from engines.editors.magicface.backends.ports import PORTS
from engines.editors.magicface.model.torch_networks import VAE_SCALE, TorchModules
from engines.trt.accuracy import reference_outputs


class FlatDenoiser(nn.Module):
    """A `Denoiser` whose ID keys and values are 32 separate arguments."""

    def __init__(self, denoiser: nn.Module) -> None:
        super().__init__()
        self.denoiser = denoiser

    def forward(
        self, latents: Tensor, background: Tensor, timestep: Tensor, au: Tensor, *id_kv: Tensor
    ) -> Tensor:
        return self.denoiser(latents, background, timestep, au, pair_kv(id_kv))


class FlatIDEncoder(nn.Module):
    """An `IDEncoder` that gives 32 separate tensors."""

    def __init__(self, id_encoder: nn.Module) -> None:
        super().__init__()
        self.id_encoder = id_encoder

    def forward(self, source_latents: Tensor) -> tuple[Tensor, ...]:
        return flatten_kv(self.id_encoder(source_latents))


class OneInput(nn.Module):
    """A network of one input, which every exported graph may call what it likes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tensor: Tensor) -> Tensor:
        return self.network(tensor)


def flat_module(component: str, modules: TorchModules) -> nn.Module:
    """One torch network in the flat form of its `PORTS`; on any device, in any dtype."""
    flat = {
        "denoiser": lambda: FlatDenoiser(modules.denoiser),
        "id_encoder": lambda: FlatIDEncoder(modules.id_encoder),
        "vae_encoder": lambda: OneInput(modules.vae_encoder),
        "vae_decoder": lambda: OneInput(modules.vae_decoder),
    }
    return flat[component]().eval()


def sample_inputs(
    component: str, modules: TorchModules, *, batch: int, dtype: torch.dtype, seed: int = 20
) -> dict[str, Tensor]:
    """Inputs of the size and spread the network meets in use, where the modules are.

    The keys and values are those the ID encoder gives for random latents, so that the attention
    sees what it will see.
    """
    device = next(modules.denoiser.parameters()).device
    draw = torch.Generator().manual_seed(seed)
    side = modules.image_size // VAE_SCALE

    def noise(*shape: int) -> Tensor:
        return torch.randn((batch, *shape), generator=draw).to(device, dtype)

    if component == "vae_encoder":
        small = torch.rand((batch, 3, side, side), generator=draw) * 2 - 1
        smooth = nn.functional.interpolate(small, scale_factor=VAE_SCALE, mode="bilinear")
        return {"images": smooth.to(device, dtype)}
    latents = noise(4, side, side)
    if component == "vae_decoder":
        return {"latents": latents / modules.scaling_factor}
    if component == "id_encoder":
        return {"source_latents": latents}
    background, au = noise(4, side, side), 2 * noise(12)
    id_encoder = flat_module("id_encoder", modules)
    id_kv = reference_outputs(
        PORTS["id_encoder"], id_encoder, {"source_latents": background}
    ).values()
    timestep = torch.tensor(501, device=device)
    values = (latents, background, timestep, au, *(t.to(dtype).contiguous() for t in id_kv))
    return dict(zip(PORTS["denoiser"].inputs, values, strict=True))
