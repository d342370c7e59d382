"""A small complete set of weights to learn faces with on a laptop: only its VAE has learnt.

    python -m engines.editors.magicface.training.toy --pairs PAIRS --output TOY
    python jobs/train.py --pairs PAIRS --init TOY …

32-pixel crops, latents of 8 × 8, UNets of one attending level. The VAE (f = 4) is trained here on
the pairs' pictures of people who are not held out. The UNets begin alike, with queries that find
their own keys, or copying a face takes far longer to appear.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from cyclopts import App, Parameter
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engines.editors.magicface.bench.weights import Size, write_weights
from engines.editors.magicface.folders import read_config
from engines.editors.magicface.training.examples.pairs import Pairs, open_pairs
from engines.errors import EngineError

SIZE = Size((48, 96), 2, 8, (16, 32, 48), 8, 1, 8, 32, layers=1)
PICTURE = 32
_FILE = "diffusion_pytorch_model.safetensors"
_BATCH, _LR, _WARM = 16, 2e-3, 50
_NOISE = 0.05
"""Of a latent's spread, added while learning: the decoder will be given what a denoiser made."""
_SHARPENED = 1.5
"""Length of the queries that find their own keys."""

app = App(help=__doc__)


@app.default
def main(
    pairs: Path,
    output: Path,
    steps: int = 1500,
    seed: int = 0,
    without_provenance: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Write the set into a new folder and say how well its VAE shows held-out people.

    Args:
        pairs: folder of make-pairs, of 32-pixel pictures.
        output: folder to write.
        steps: of the VAE, of 16 pictures each.
    """
    if output.exists():
        raise EngineError(f"{output}: is there already; expected a new folder")
    screen = Console(soft_wrap=True)
    given = open_pairs(pairs, size=PICTURE, need_provenance=not without_provenance)
    learnt, held = pictures(given)
    vae = trained_vae(learnt, steps, seed, screen.print)
    normalise(vae, learnt)
    strangers = f", {psnr(vae, held):.1f} dB on held-out people" if len(held) else ""
    screen.print(f"VAE: {psnr(vae, learnt):.1f} dB on those it learnt{strangers}")
    write_toy(output, vae, seed)
    screen.print(f"weights: {output}")


def pictures(pairs: Pairs) -> tuple[Tensor, Tensor]:
    """`(N, 3, S, S)` in −1…1: sources and targets of people to learn, and of held-out ones."""
    both = np.stack([np.stack(seen[:2]) for seen in pairs.pictures(range(len(pairs)))])
    planes = torch.from_numpy(both).permute(0, 1, 4, 2, 3).float() / 127.5 - 1
    held = torch.from_numpy(pairs.held_out)
    return planes[~held].flatten(0, 1), planes[held].flatten(0, 1)


def trained_vae(learnt: Tensor, steps: int, seed: int, tell: Any = lambda _line: None) -> Any:
    """A VAE that shows `(N, 3, S, S)` pictures again, its weights averaged over the last steps."""
    torch.manual_seed(seed)
    vae: Any = AutoencoderKL(**vae_config())
    optimiser = torch.optim.AdamW(vae.parameters(), _LR, betas=(0.9, 0.99), weight_decay=1e-4)
    draw = torch.Generator().manual_seed(seed)
    mean = {name: tensor.detach().clone() for name, tensor in vae.state_dict().items()}
    for step in range(steps):
        falling = 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.02
        for group in optimiser.param_groups:
            group["lr"] = _LR * min(1.0, (step + 1) / _WARM) * falling
        rows = torch.randint(len(learnt), (_BATCH,), generator=draw)
        loss = _vae_loss(vae, learnt[rows], draw)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        _average(mean, vae, min(0.995, (1 + step) / (10 + step)))
        if (step + 1) % 500 == 0:
            tell(f"VAE step {step + 1} of {steps}: loss {loss.item():.4f}")
    vae.load_state_dict(mean)
    return vae.eval().requires_grad_(False)


def vae_config() -> dict[str, Any]:
    """As config.json says it; latents of mean 0 and spread 1, see `normalise`."""
    stages = len(SIZE.vae_channels)
    return {
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "block_out_channels": SIZE.vae_channels,
        "down_block_types": ("DownEncoderBlock2D",) * stages,
        "up_block_types": ("UpDecoderBlock2D",) * stages,
        "layers_per_block": SIZE.vae_layers,
        "norm_num_groups": SIZE.vae_groups,
        "sample_size": PICTURE,
        "scaling_factor": 1.0,
    }


def _vae_loss(vae: Any, wanted: Tensor, draw: torch.Generator) -> Tensor:
    """Differences of pixels, of their steps to the next and of blurred pictures; latents stay
    near 0."""
    mean = vae.encode(wanted).latent_dist.mean
    noise = torch.randn(mean.shape, generator=draw)
    off = vae.decode(mean + _NOISE * mean.detach().std() * noise).sample - wanted
    across, down = off.diff(dim=3).abs().mean(), off.diff(dim=2).abs().mean()
    blurred = nn.functional.avg_pool2d(off, 2).abs().mean()
    pixels = off.abs().mean() + off.square().mean()
    return pixels + blurred + 0.5 * (across + down) + 1e-4 * mean.square().mean()


@torch.no_grad()
def _average(mean: dict[str, Tensor], vae: nn.Module, decay: float) -> None:
    for name, tensor in vae.state_dict().items():
        mean[name].lerp_(tensor, 1 - decay)


@torch.no_grad()
def normalise(vae: Any, learnt: Tensor) -> None:
    """Latents get mean 0 and spread 1 in each channel, in the two 1 × 1 convolutions."""
    latents = vae.encode(learnt[:: max(1, len(learnt) // 256)]).latent_dist.mean
    mean, spread = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    into, out_of = vae.quant_conv, vae.post_quant_conv
    into.weight[:4] /= spread[:, None, None, None]
    into.bias[:4] = (into.bias[:4] - mean) / spread
    out_of.bias += out_of.weight[:, :, 0, 0] @ mean
    out_of.weight *= spread[None, :, None, None]


@torch.no_grad()
def psnr(vae: Any, given: Tensor) -> float:
    """dB of what comes back, over up to 64 pictures."""
    some = given[:: max(1, len(given) // 64)]
    back = vae.decode(vae.encode(some).latent_dist.mean).sample.clamp(-1, 1)
    return -10 * math.log10(float((back - some).square().mean()) / 4)


def write_toy(folder: Path, vae: Any, seed: int = 0) -> None:
    """The whole set in the official layout; the folder appears whole or not at all."""
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    parent = folder.absolute().parent
    partial = Path(tempfile.mkdtemp(dir=parent, prefix=f".unfinished-{folder.name}-"))
    try:
        write_weights(partial, SIZE, seed=seed + 7)
        _begin_alike(partial)
        (partial / "vae/config.json").write_text(json.dumps(vae_config(), indent=1), "utf-8")
        tensors = {name: tensor.contiguous() for name, tensor in vae.state_dict().items()}
        save_file(tensors, partial / "vae" / _FILE)
        partial.chmod(0o755)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _begin_alike(folder: Path) -> None:
    """The denoiser gets the ID encoder's weights; queries of both find their own keys."""
    encoder, denoiser = (folder / part / _FILE for part in ("ID_enc", "denoising_unet"))
    own = {name: tensor.float() for name, tensor in load_file(encoder).items()}
    for name in [n for n in own if n.endswith("attn1.to_q.weight")]:
        query = nn.init.orthogonal_(torch.empty_like(own[name])) * _SHARPENED
        own[name], own[name.replace("to_q", "to_k")] = query, query.clone()
    save_file(own, encoder)
    theirs = {name: tensor.float() for name, tensor in load_file(denoiser).items()}
    shared = {name: tensor for name, tensor in own.items() if name in theirs}
    both = torch.cat([own["conv_in.weight"]] * 2, dim=1)
    layer = {name: 0.2 * t for name, t in theirs.items() if name.startswith("au_aug_mlp.")}
    save_file(theirs | shared | {"conv_in.weight": both} | layer, denoiser)
    read_config(folder / "denoising_unet")


if __name__ == "__main__":
    app()
