"""Latents of all pairs, made once by all workers and then read from memory maps."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed

from engines.editors.magicface import checkpoint
from engines.editors.magicface.folders import WeightFolders, read_config, weight_files
from engines.editors.magicface.model.vae import VAEEncoder, to_network
from engines.editors.magicface.training.examples.latents import Latents
from engines.editors.magicface.training.examples.pairs import Pairs
from engines.weights.file_hash import file_sha256

_NAMES = ("source", "target", "background")
_AT_ONCE = 4
"""Pairs per encoding; fixed, because another batch size changes the last bits."""
VERSION = 1


def vae_scale(folders: WeightFolders) -> int:
    """Pixels per latent along each side, of a VAE's config."""
    return 2 ** (len(read_config(folders.vae)["block_out_channels"]) - 1)


def latents_digest(pairs: Pairs, folders: WeightFolders) -> str:
    """Names what the latents depend on: the pairs and the VAE."""
    vae = [file_sha256(path) for path in (folders.vae / "config.json", *weight_files(folders.vae))]
    said = {"pairs": pairs.digest, "vae": vae, "version": VERSION}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def cached_latents(
    pairs: Pairs, folders: WeightFolders, cache: Path, device: str, rank: int, workers: int
) -> Latents:
    """Latents of all pairs, `(N, 4, h, w)` float32 memory maps; made now where they are not there.

    Every worker calls it; the folder lies where all see it.

    Raises:
        EngineError: a picture or a VAE that cannot be read.
    """
    digest = latents_digest(pairs, folders)
    folder = cache / f"latents-{digest[:16]}"
    if not folder.is_dir():
        _wait(workers)  # nobody makes it before all have looked
        _make(pairs, folders, folder, device, rank, workers)
    source, target, background = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in _NAMES)
    factor = float(read_config(folders.vae).get("scaling_factor", 0.18215))
    return Latents(
        source, target, background, pairs.au, pairs.held_out, factor, digest, pairs.same_view
    )


def _make(
    pairs: Pairs, folders: WeightFolders, folder: Path, device: str, rank: int, workers: int
) -> None:
    partial = folder.with_name(f".unfinished-{folder.name}")
    side = pairs.facts.size // vae_scale(folders)
    if rank == 0:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in _NAMES:
            shape = (len(pairs), 4, side, side)
            np.lib.format.open_memmap(partial / f"{name}.npy", "w+", np.float32, shape)
    _wait(workers)
    maps = [np.load(partial / f"{name}.npy", mmap_mode="r+") for name in _NAMES]
    for rows, latents in _encoded(pairs, folders, device, rank, workers):
        for values, made in zip(maps, latents, strict=True):
            values[rows.start : rows.stop] = made
    for values in maps:
        values.flush()
    _wait(workers)
    if rank == 0:
        partial.replace(folder)
    _wait(workers)


def _encoded(
    pairs: Pairs, folders: WeightFolders, device: str, rank: int, workers: int
) -> Iterator[tuple[range, tuple[NDArray[np.float32], ...]]]:
    """This worker's share, some pairs at a time: every `workers`-th group."""
    encoder = VAEEncoder(checkpoint.load_vae(folders.vae)).eval().to(device)
    for first in range(rank * _AT_ONCE, len(pairs), workers * _AT_ONCE):
        rows = range(first, min(first + _AT_ONCE, len(pairs)))
        pictures = zip(*pairs.pictures(rows), strict=True)
        yield rows, tuple(_latents(encoder, np.stack(images), device) for images in pictures)


def _latents(encoder: VAEEncoder, images: NDArray[np.uint8], device: str) -> NDArray[np.float32]:
    planes = torch.from_numpy(images.astype(np.float32) / 255).permute(0, 3, 1, 2).to(device)
    with torch.no_grad():
        return encoder(to_network(planes.contiguous())).float().cpu().numpy()


def _wait(workers: int) -> None:
    if workers > 1:
        distributed.barrier()
