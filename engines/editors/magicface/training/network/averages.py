"""Exponential moving averages of weights, and putting values in a network's place for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def learning(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that learn, by name."""
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


class Averages:
    """EMA of what learns; its decay begins small, or the start would weigh for too long.

    Attributes:
        values: by parameter name.
        updates: so far.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self.values = {name: p.detach().clone() for name, p in learning(network).items()}
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take a step's weights in."""
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        for name, parameter in learning(network).items():
            self.values[name].lerp_(parameter.detach(), 1 - decay)


@contextmanager
def holding(network: nn.Module, values: Mapping[str, Tensor]) -> Iterator[None]:
    """The network has these parameters while open, and its own again after."""
    own = {name: p.data for name, p in network.named_parameters() if name in values}
    for name, parameter in network.named_parameters():
        if name in values:
            parameter.data = values[name]
    try:
        yield
    finally:
        for name, parameter in network.named_parameters():
            if name in own:
                parameter.data = own[name]
