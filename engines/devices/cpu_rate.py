"""How fast this machine's cores multiply matrices: the pace of networks without a GPU."""

from __future__ import annotations

import time

SIDE = 768
LEAST_S = 0.15


def cpu_tflops() -> float:
    """Dense fp32 products on all cores torch may use, TFLOP/s; takes a fifth of a second."""
    import torch

    a = torch.full((SIDE, SIDE), 0.5)
    torch.mm(a, a)
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < LEAST_S:
        torch.mm(a, a)
        done += 1
    return done * 2 * SIDE**3 / took / 1e12
