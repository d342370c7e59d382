"""Counts MagicFace's floating-point operations at real size, on the meta device.

    python -m engines.editors.magicface.speed.cost [--floor-tflops 788]

Two operations per multiply-add, convolutions, matrix products and attention only. The floor is the
time at a rate of dense bf16 products; 788 TFLOP/s was measured on an H200.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from cyclopts import App
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from engines.editors.magicface.checkpoint import PROMPT_TOKENS, build_unet, build_vae
from engines.editors.magicface.folders import WeightFolders, read_config
from engines.editors.magicface.model import full_size
from engines.editors.magicface.model.cached import FullStep, ShallowStep
from engines.editors.magicface.model.unet import DenoiserUNet, IDFeatures, IDProjection
from engines.editors.magicface.model.vae import VAEDecoder, VAEEncoder
from engines.editors.magicface.proof.official import OfficialDenoiser, official_features

H200_TFLOPS = 788.0
STEPS = (50, 20, 10, 4)


@dataclass(frozen=True)
class NetworkCosts:
    """TFLOP of each part for one frame (of 512 × 512 pixels, unless other networks were counted).

    Attributes:
        encode, decode: the VAE, one image each.
        id_encoder: the ID encoder cut after its last tap, the prompt's projections constant.
        id_encoder_whole: one whole pass of the ID encoder's UNet.
        id_kv: norm1, to_k and to_v of the ID features.
        step: the denoiser, one conditional pass.
        step_guided: the same with its guidance copy.
        step_official: with guidance, as the official code computes it.
        step_official_single: the same without guidance.
        shallow, shallow_guided: a step that reuses the deep features of an earlier one.
    """

    encode: float
    decode: float
    id_encoder: float
    id_encoder_whole: float
    id_kv: float
    step: float
    step_guided: float
    step_official: float
    step_official_single: float
    shallow: float
    shallow_guided: float

    def ours(
        self,
        steps: int,
        guidance: float,
        *,
        reference: bool = False,
        cache_steps: int = 1,
        guidance_steps: int | None = None,
    ) -> float:
        """TFLOP per frame of the exact algebra.

        Args:
            reference: count the VAE round trip's decode too, which the residual pasting needs.
            cache_steps: the whole denoiser at every so many steps, its last layers between.
            guidance_steps: steps with guidance, the first ones; None = all.
        """
        guided = 0 if guidance <= 1 else steps if guidance_steps is None else guidance_steps
        once = 2 * self.encode + self.decode + self.id_encoder + self.id_kv
        whole = {True: self.step_guided, False: self.step}
        part = {True: self.shallow_guided, False: self.shallow}
        sampling = sum((part if n % cache_steps else whole)[n < guided] for n in range(steps))
        return once + sampling + (self.decode if reference else 0.0)

    def official(self, steps: int, guidance: float) -> float:
        """TFLOP per frame of the official way; below 1, it drops the guidance copies."""
        copies = 2 if guidance >= 1 else 1
        step = self.step_official if guidance >= 1 else self.step_official_single
        return 2 * self.encode + self.decode + copies * self.id_encoder_whole + steps * step


def _tflop(run: Callable[[], Any]) -> tuple[float, Any]:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        made = run()
    return counter.get_total_flops() / 1e12, made


def _meta_networks(folders: WeightFolders | None) -> tuple[Any, ...]:
    """Two denoisers, two ID encoders and a VAE of meta tensors: SD 1.5's, or as a folder's configs
    describe them."""
    if folders is None:
        unets = [full_size.unet(channels) for channels in (8, 8, 4, 4)]
        return (*unets, full_size.vae())
    where = {8: folders.denoiser, 4: folders.id_encoder}
    configs = {channels: read_config(folder) for channels, folder in where.items()}
    unets = [build_unet(configs[n], n, where[n]) for n in (8, 8, 4, 4)]
    return (*unets, build_vae(folders.vae))


@cache
def network_costs(folders: WeightFolders | None = None) -> NetworkCosts:
    """Count everything once; a few seconds, no memory to speak of.

    Args:
        folders: weights whose configs to count; None = Stable Diffusion 1.5 at 512 × 512.
    """
    with torch.device("meta"):
        steered, plain, whole, cut, vae = _meta_networks(folders)
        prompt = torch.empty(1, PROMPT_TOKENS, int(plain.config["cross_attention_dim"]))
        official = OfficialDenoiser(plain)
        denoiser, features = DenoiserUNet(steered, prompt), IDFeatures(cut, prompt)
        size = int(whole.config["sample_size"])
        latents, both = torch.empty(1, 4, size, size), torch.empty(2, 4, size, size)
        au, both_au, t = torch.empty(1, 12), torch.empty(2, 12), torch.tensor(0)
        image = torch.empty(1, 3, 8 * size, 8 * size)
        encode, _ = _tflop(lambda: VAEEncoder(vae)(image))
        decode, _ = _tflop(lambda: VAEDecoder(vae)(latents))
        id_encoder, tapped = _tflop(lambda: features(latents))
        id_encoder_whole, taps = _tflop(lambda: official_features(whole, latents, prompt))
        id_kv, pairs = _tflop(lambda: IDProjection(denoiser)(tapped))
        step, _ = _tflop(lambda: denoiser(latents, latents, t, au, pairs))
        step_guided, _ = _tflop(lambda: denoiser(both, both, t, both_au, pairs))
        copies = [torch.cat([tap, tap]) for tap in taps]
        step_official, _ = _tflop(
            lambda: official(both, both, t, both_au, features=copies, prompt_embeds=prompt)
        )
        step_official_single, _ = _tflop(
            lambda: official(latents, latents, t, au, features=taps, prompt_embeds=prompt)
        )
        rows = FullStep(denoiser)(latents, latents, t, au, pairs)[1].shape[1:]
        deep, both_deep = torch.empty(1, *rows), torch.empty(2, *rows)
        last = ShallowStep(denoiser)
        shallow, _ = _tflop(lambda: last(latents, latents, t, au, pairs, deep))
        shallow_guided, _ = _tflop(lambda: last(both, both, t, both_au, pairs, both_deep))
    return NetworkCosts(
        encode,
        decode,
        id_encoder,
        id_encoder_whole,
        id_kv,
        step,
        step_guided,
        step_official,
        step_official_single,
        shallow,
        shallow_guided,
    )


def parts_table(costs: NetworkCosts) -> Table:
    """The parts, one row each."""
    table = Table("part, one frame of 512 × 512", "TFLOP", title="MagicFace's parts")
    rows = {
        "VAE encode (twice: source, background)": costs.encode,
        "VAE decode": costs.decode,
        "ID encoder, whole": costs.id_encoder_whole,
        "ID encoder, cut after its last tap, prompt constant": costs.id_encoder,
        "ID keys and values": costs.id_kv,
        "denoiser step with guidance, official": costs.step_official,
        "denoiser step with guidance, exact algebra": costs.step_guided,
        "denoiser step without guidance, exact algebra": costs.step,
    }
    for part, tflop in rows.items():
        table.add_row(part, f"{tflop:.3f}")
    return table


def frames_table(costs: NetworkCosts, floor_tflops: float) -> Table:
    """Whole frames by steps, each with its floor in milliseconds."""
    title = f"TFLOP per frame (floor in ms at {floor_tflops:g} TFLOP/s)"
    table = Table("way of computing", *(f"{steps} steps" for steps in STEPS), title=title)
    rows: dict[str, Callable[[int], float]] = {
        "official": lambda steps: costs.official(steps, 3.0),
        "exact algebra, guidance": lambda steps: costs.ours(steps, 3.0),
        "exact algebra, s = 1": lambda steps: costs.ours(steps, 1.0),
        "… guidance, with the reference to paste against": lambda steps: costs.ours(
            steps, 3.0, reference=True
        ),
        "… and --cache-steps 2": lambda steps: costs.ours(
            steps, 3.0, reference=True, cache_steps=2
        ),
        "… and --cache-steps 3": lambda steps: costs.ours(
            steps, 3.0, reference=True, cache_steps=3
        ),
        "… and --guidance-steps of half the steps": lambda steps: costs.ours(
            steps, 3.0, reference=True, guidance_steps=steps // 2
        ),
    }
    for way, tflop in rows.items():
        cells = [f"{tflop(n):.1f} ({1000 * tflop(n) / floor_tflops:.0f})" for n in STEPS]
        table.add_row(way, *cells)
    return table


app = App(
    name="python -m engines.editors.magicface.speed.cost", help=__doc__, help_format="plaintext"
)


@app.default
def main(*, floor_tflops: float = H200_TFLOPS) -> int:
    """Count and print.

    Parameters
    ----------
    floor_tflops:
        Rate of dense half-precision products the floor is given for, TFLOP/s.
    """
    costs = network_costs()
    console = Console(width=110)
    console.print(parts_table(costs), frames_table(costs, floor_tflops))
    return 0


if __name__ == "__main__":
    sys.exit(app())
