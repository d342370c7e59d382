"""Which device a small torch network runs on."""

from __future__ import annotations

import torch

from engines.errors import EngineError, EngineUnavailableError


def torch_device(engine: str, name: str | None) -> str:
    """`cpu` or `cuda`; None takes the GPU where there is one.

    Args:
        engine: who asks, for the message.
    Raises:
        EngineError: another name.
        EngineUnavailableError: "cuda" where torch sees no GPU.
    """
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise EngineError(f"{engine} device: got {name!r}; expected 'cpu' or 'cuda'")
    if name == "cuda" and not torch.cuda.is_available():
        raise EngineUnavailableError(f"{engine} device 'cuda': torch sees no GPU here")
    return name
