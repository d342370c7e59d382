"""What a checkpoint's weights paint: a sheet of held-out pairs, through the editor's sampler."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.editors.magicface import checkpoint
from engines.editors.magicface.folders import WeightFolders, read_config
from engines.editors.magicface.model.vae import VAEDecoder, to_pixels
from engines.editors.magicface.sampling.sampler import generators, initial_noise
from engines.editors.magicface.training.examples.latents import Latents, spread
from engines.editors.magicface.training.network.trainee import Trainee
from engines.editors.magicface.training.progress.edits import Ways, edited

PAIRS = 8


def paint_sheet(
    trainee: Trainee, latents: Latents, folders: WeightFolders, device: str, path: Path
) -> None:
    """A PNG with a row per pair: source, target, and the source edited towards the target's AUs.

    Source and target are the VAE's round trips. Up to 8 pairs of held-out people, spread over
    them, or of others where nobody is held out.
    """
    rows = latents.rows(held_out=True)
    rows = rows if len(rows) else latents.rows(held_out=False)
    rows = spread(rows, PAIRS)
    batch = latents.take(rows, device)
    with torch.no_grad():
        noise = initial_noise(generators([0] * len(rows)), *latents.shape[1:]).to(device)
        schedule = read_config(folders.scheduler, "scheduler_config.json")
        made = edited(trainee, batch, batch.au, schedule, noise, Ways())
        decoder = VAEDecoder(checkpoint.load_vae(folders.vae)).eval().to(device)
        columns = [
            _pictures(decoder(given))
            for given in (batch.source, batch.target, made / latents.scaling_factor)
        ]
    sheet = np.concatenate([np.concatenate(list(column)) for column in columns], axis=1)
    partial = path.with_name(f".unfinished-{path.name}")
    partial.write_bytes(cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes())
    partial.replace(path)


def _pictures(decoded: Tensor) -> NDArray[np.uint8]:
    """`(k, S, S, 3)` uint8 RGB."""
    pixels = to_pixels(decoded.float()).permute(0, 2, 3, 1).cpu().numpy()
    return np.rint(255 * np.nan_to_num(pixels)).astype(np.uint8)
