"""What the benchmark computes: the same frames, the official way and ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from engines.editors.magicface import checkpoint
from engines.editors.magicface.folders import (
    WeightFolders,
    locate_weights,
    native_size,
    read_config,
)
from engines.editors.magicface.model import full_size
from engines.editors.magicface.model.networks import Networks
from engines.editors.magicface.model.torch_networks import assemble
from engines.editors.magicface.proof.official import (
    OfficialDenoiser,
    official_features,
    official_scheduler,
)
from engines.editors.magicface.sampling.sampler import combine, make_scheduler, sample
from engines.editors.magicface.speed.cost import NetworkCosts, network_costs
from engines.editors.magicface.speed.speed import torch_networks

GUIDANCE = 3.0


@dataclass(frozen=True)
class Frames:
    """The same inputs for every way: pictures in −1…1, AU vectors, noise; fp32 on the device."""

    source: Tensor
    background: Tensor
    au: Tensor
    noise: Tensor


Frame = Callable[[int], Tensor]
"""Takes steps, computes a batch of frames to decoded pictures, gives the final latents."""


def same_frames(batch: int, size: int, device: torch.device) -> Frames:
    """Seeded smooth pictures of `size` pixels, AU vectors and noise for a batch."""
    draw = torch.Generator().manual_seed(batch)
    pictures = torch.rand((2, batch, 3, size // 8, size // 8), generator=draw) * 2 - 1
    source, background = (
        torch.nn.functional.interpolate(half, scale_factor=8.0, mode="bilinear").to(device)
        for half in pictures
    )
    au = (torch.randn((batch, 12), generator=draw) * 2).to(device)
    noise = torch.randn((batch, 4, size // 8, size // 8), generator=draw).to(device)
    return Frames(source, background, au, noise)


class Parts(NamedTuple):
    """Stock networks, and the prompt's embedding on the CPU."""

    id_unet: Any
    denoiser: Any
    vae: Any
    prompt: Tensor


class NetworkSource:
    """Where networks come from: random at full size, or a weights folder."""

    def __init__(self, weights: str, base: str | None, device: torch.device) -> None:
        self.device = device
        self.folders: WeightFolders | None = locate_weights(weights, base) if weights else None
        self.costs: NetworkCosts = network_costs(self.folders)
        self.size = 8 * full_size.LATENT_SIZE
        self.schedule: dict[str, Any] = {}
        if self.folders is not None:
            self.size = native_size(self.folders)
            self.schedule = read_config(self.folders.scheduler, "scheduler_config.json")

    def parts(self) -> Parts:
        """Fresh networks in fp32 on the device, the same numbers each time."""
        if self.folders is not None:
            made: list[Any] = [
                checkpoint.load_id_unet(self.folders.id_encoder),
                checkpoint.load_denoiser_unet(self.folders.denoiser),
                checkpoint.load_vae(self.folders.vae),
            ]
            prompt = checkpoint.load_prompt(self.folders)
        else:
            with torch.device("meta"):
                made = [full_size.unet(4), full_size.unet(8), full_size.vae()]
            for seed, part in enumerate(made):
                full_size.randomise(part.requires_grad_(False), seed, self.device)
            prompt = full_size.prompt_embeds()
        id_unet, denoiser, vae = (part.to(self.device) for part in made)
        return Parts(id_unet, denoiser, vae, prompt)


def official_frame(source: NetworkSource, frames: Frames) -> Frame:
    """Frames as the official code computes them, with torch's own settings."""
    id_unet, unet, vae, prompt = source.parts()
    denoiser, prompt = OfficialDenoiser(unet), prompt.to(source.device)
    factor = float(vae.config["scaling_factor"])
    both_au = torch.cat([frames.au, torch.zeros_like(frames.au)])

    def compute(steps: int) -> Tensor:
        pictures = (frames.source, frames.background)
        encoded, background = (vae.encode(picture).latent_dist.mode() for picture in pictures)
        features = official_features(id_unet, torch.cat([encoded, encoded]), prompt)
        both_backgrounds = torch.cat([background, background])
        scheduler = official_scheduler(make_scheduler("unipc", source.schedule, steps), steps)
        latents = frames.noise
        for t in scheduler.timesteps:
            eps = denoiser(
                torch.cat([latents, latents]),
                both_backgrounds,
                t.to(source.device),
                both_au,
                features=features,
                prompt_embeds=prompt,
            )
            latents = scheduler.step(combine(eps, GUIDANCE), t, latents, return_dict=False)[0]
        vae.decode(latents / factor)
        return latents

    return compute


def our_frame(
    source: NetworkSource, networks: Networks, frames: Frames, dtype: torch.dtype
) -> Frame:
    """Frames as the editor computes them, but for the reference it pastes against."""
    au = frames.au.to(dtype)

    def compute(steps: int) -> Tensor:
        codec = networks.codec
        encoded = codec.encode(frames.source.to(dtype))
        id_kv = networks.id_encoder(encoded)
        latents = sample(
            networks.denoiser,
            make_scheduler("unipc", source.schedule, steps),
            frames.noise,
            background=codec.encode(frames.background.to(dtype)),
            au=au,
            id_kv=id_kv,
            guidance=GUIDANCE,
        )
        codec.decode((latents / codec.scaling_factor).to(dtype))
        return latents

    return compute


def our_networks(source: NetworkSource, dtype: torch.dtype, mode: str) -> Networks:
    """Fresh networks in a dtype and mode."""
    id_unet, unet, vae, prompt = source.parts()
    for part in (id_unet, unet, vae):
        nn.Module.to(part, dtype)  # diffusers' own warns of modules to keep in fp32, and has none
    modules = assemble(id_unet, unet, vae, prompt)
    compile_mode = "default" if mode == "compile" else None
    return torch_networks(modules, mode, compile_mode=compile_mode, cuda_graphs=mode != "eager")
