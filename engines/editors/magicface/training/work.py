"""One worker's work, from the words of a call to its last checkpoint, whoever started it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import distributed

from engines.devices.torch_device import resolve_device
from engines.editors.magicface.folders import WeightFolders, read_config
from engines.editors.magicface.training.examples.cache import cached_latents, vae_scale
from engines.editors.magicface.training.examples.latents import Latents
from engines.editors.magicface.training.examples.pairs import Pairs, open_pairs
from engines.editors.magicface.training.loop import Run, train, worker
from engines.editors.magicface.training.memory import check_memory
from engines.editors.magicface.training.network.trainee import Trainee
from engines.editors.magicface.training.progress.edits import measure_edits
from engines.editors.magicface.training.progress.sheets import paint_sheet
from engines.editors.magicface.training.recipe import Recipe
from engines.editors.magicface.training.start import Start, find_start
from engines.errors import EngineError


@dataclass(frozen=True)
class Order:
    """What was asked for, as plain values.

    Attributes:
        pairs: folder of `make_pairs`.
        init, base: as `find_start` has them.
        output: folder of checkpoints, progress and latents, where every worker sees it.
        need_provenance: refuse footage that nobody gave leave to train on.
        beside: workers that share this machine's memory, for a CPU.
        workers: all of them.
    """

    pairs: Path
    init: str
    base: str | None
    output: Path
    recipe: Recipe
    need_provenance: bool = True
    beside: int = 1
    workers: int = 1


def picture_size(start: Start) -> int:
    """Side of the pictures that a start's weights are of, pixels."""
    sample = read_config(start.folders.denoiser).get("sample_size") or 64
    return int(sample) * vae_scale(start.folders)


def looked_at(order: Order) -> tuple[Start, Pairs]:
    """Where training begins and what it trains on, both checked; no network is loaded.

    Raises:
        EngineError: weights that are not here, pairs that may not or cannot be trained on.
    """
    start = find_start(order.init, order.base, order.output)
    size = picture_size(start)
    return start, open_pairs(order.pairs, size=size, need_provenance=order.need_provenance)


def free_memory(device: torch.device, beside: int) -> tuple[float, str]:
    """Bytes that one worker may use, and of what."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0]), torch.cuda.get_device_name(device)
    share = f" for each of {beside} workers" if beside > 1 else ""
    return psutil.virtual_memory().available / beside, f"this machine{share}"


def check_room(order: Order, start: Start) -> None:
    """Refuse what this machine's memory does not hold.

    Raises:
        EngineError: it says what would fit.
    """
    there, where = free_memory(resolve_device("auto"), order.beside)
    scale = vae_scale(start.folders)
    check_memory(start, order.recipe, picture_size(start), scale, there, where, order.workers)


def train_as_asked(order: Order) -> Path:
    """Everything that a worker does; the last checkpoint.

    Raises:
        EngineError: the same on every worker.
    """
    rank, workers = worker()
    device = str(resolve_device("auto"))
    start, pairs = looked_at(order)
    _together(lambda: check_room(order, start), workers)
    latents = cached_latents(pairs, start.folders, order.output, device, rank, workers)
    run = Run(
        order.recipe,
        latents,
        start.signal_shares(),
        order.output,
        start.folders,
        {clip: asdict(said) for clip, said in pairs.facts.clips.items()},
        device,
        lambda network, path: _look(network, latents, start.folders, device, path),
    )
    return train(start.trainee(order.recipe.au_encoder), run)


def _look(
    network: Trainee, latents: Latents, folders: WeightFolders, device: str, sheet: Path
) -> dict[str, Any]:
    """Paints the sheet; what edits of held-out people are worth, where that is known."""
    paint_sheet(network, latents, folders, device, sheet)
    schedule = read_config(folders.scheduler, "scheduler_config.json")
    made = measure_edits(network, latents, schedule, device)
    return {"edits": asdict(made)} if made else {}


def _together(check: Callable[[], None], workers: int) -> None:
    """What one worker must refuse, all refuse: none waits for another that has left."""
    said = ""
    try:
        check()
    except EngineError as error:
        said = str(error)
    everybody: list[str | None] = [said] * workers
    if workers > 1:
        distributed.all_gather_object(everybody, said)
    for refusal in everybody:
        if refusal:
            raise EngineError(refusal)
