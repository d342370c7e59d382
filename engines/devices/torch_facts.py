"""What torch is here and which GPUs it sees, asked without using one; torch is imported late."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass


@dataclass(frozen=True)
class TorchFacts:
    """An installed torch.

    Attributes:
        version: e.g. `2.9.0+cu128`.
        cuda: the CUDA it was built for, e.g. `12.8`; "" = for CPUs only.
        gpus: names of the GPUs it sees, in its order.
        refusal: why it sees none, in its own words, one line; "" where it does, or cannot.
    """

    version: str
    cuda: str
    gpus: tuple[str, ...]
    refusal: str = ""


def torch_facts() -> TorchFacts | None:
    """The torch of this environment; None where none is installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    refusal = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of, its error below says
        if torch.version.cuda and not torch.cuda.is_available():
            try:
                torch.cuda.init()
            except RuntimeError as error:
                refusal = " ".join(str(error).split())
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        names = tuple(torch.cuda.get_device_name(number) for number in range(count))
    return TorchFacts(str(torch.__version__), torch.version.cuda or "", names, refusal)
