"""Arrays to a device and back; on a GPU through pinned memory, alongside what it computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    """An array on the device; on a GPU the copy does not wait for running kernels."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def start_download(tensor: Tensor) -> Callable[[], NDArray[np.float32]]:
    """Begin to copy a tensor into host memory; call the answer to wait for it.

    What it gives is the memory itself, pinned on a GPU: to be read soon and let go.

    On a GPU the copy runs on a stream of its own, behind what the tensor needs and beside what is
    started later.
    """
    tensor = tensor.detach().to(torch.float32).contiguous()
    if tensor.device.type != "cuda":
        return lambda: np.asarray(tensor.numpy(), np.float32)
    stream = torch.cuda.Stream(tensor.device)
    stream.wait_stream(torch.cuda.current_stream(tensor.device))
    host = torch.empty(tensor.shape, dtype=torch.float32, pin_memory=True)
    with torch.cuda.stream(stream):
        host.copy_(tensor, non_blocking=True)
        tensor.record_stream(stream)
        copied = torch.cuda.Event()
        copied.record(stream)

    def wait() -> NDArray[np.float32]:
        copied.synchronize()
        return host.numpy()

    return wait
