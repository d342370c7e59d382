"""Which device a torch network runs on."""

from __future__ import annotations

import gc
import re

import torch

from engines.errors import EngineError, EngineUnavailableError

DEVICE_NAME = re.compile(r"auto|cpu|cuda(:\d+)?")
"""What a user may write; without a number, the process's current GPU."""


def resolve_device(asked: str | None, who: str = "") -> torch.device:
    """`auto` (or None), `cpu`, `cuda` or `cuda:N` → a device that is here.

    Args:
        who: begins the message, e.g. `fan tracker`.
    Raises:
        EngineError: another name.
        EngineUnavailableError: a GPU was asked for by name and is not here.
    """
    what = f"{who} device".lstrip()
    if asked is not None and not DEVICE_NAME.fullmatch(asked):
        raise EngineError(f"{what}: got {asked!r}; expected auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked in (None, "auto"):
        return torch.device("cuda" if count else "cpu")
    device = torch.device(asked)
    if device.type == "cuda" and (device.index or 0) >= count:
        raise EngineUnavailableError(
            f"{what} {asked!r}: torch {torch.__version__} finds {count} CUDA GPUs here; use cpu or "
            "auto, or a machine with a GPU"
        )
    return device


def release(device: torch.device) -> None:
    """Gives back the memory of tensors that nobody holds any more: others allocate beside torch."""
    gc.collect()  # modules know each other in circles
    if device.type == "cuda":
        torch.cuda.empty_cache()
