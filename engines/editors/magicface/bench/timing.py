"""What every benchmark of MagicFace measures with: the clock, the memory, the machine."""

from __future__ import annotations

import gc
import os
import platform
import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def timed(run: Callable[[], Any], device: torch.device, repeats: int) -> tuple[float, float]:
    """Wall and processor seconds of the fastest of the repeats; on a GPU until all its streams,
    TensorRT's too, are done."""
    best = (float("inf"), 0.0)
    for _ in range(repeats):
        _wait(device)
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        _wait(device)
        best = min(best, (time.perf_counter() - wall, time.process_time() - cpu))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_gb(device: torch.device) -> float:
    """Memory in GB: the most that torch had allocated on the GPU, or the process's peak."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def used_gb(device: torch.device) -> float:
    """As `peak_gb`, but all that is taken of the GPU now: TensorRT allocates beside torch."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return (total - free) / 1e9
    return peak_gb(device)


def release(device: torch.device) -> None:
    """Give back what the last networks held, and count memory anew."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def apart(latents: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest expected value."""
    return float((latents.float().cpu() - expected).abs().max() / expected.abs().max())


def machine_facts(device: torch.device) -> dict[str, Any]:
    """What ran it."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "processor": platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }
