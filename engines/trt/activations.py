"""One block of memory for the activations of all plans of a process, which run in turn."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class ActivationMemory:
    """Lends its block to execution contexts; it grows to what the largest plan needs.

    A context keeps no activations from run to run, so plans that never run at once need the memory
    of the largest of them, not of all. Runs are ordered by the streams of their sessions.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._block = torch.empty(0, dtype=torch.uint8)  # the device is asked when a plan is there

    def block(self, size: int) -> Tensor:
        """The block, of at least so many bytes; another one where it had to grow.

        Raises:
            torch.OutOfMemoryError: the GPU has not that much.
        """
        if self._block.numel() < size:
            self._block = torch.empty(0, dtype=torch.uint8)  # the old one goes
            self._block = torch.empty(size, dtype=torch.uint8, device=self._device)
        return self._block


def user_managed(trt: Any) -> Any:
    """The strategy by which a context takes memory from its caller; None where there is none."""
    strategies = getattr(trt, "ExecutionContextAllocationStrategy", None)
    return None if strategies is None else strategies.USER_MANAGED
