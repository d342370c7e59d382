"""MagicFace at full size: the official way of computing against ours, in one run, on one machine.

The official way: fp32, eager, 2N queries, ID features normed and projected again at every step,
everything on guidance copies. Both compute the same frames (source and background encoded, ID
encoder, all steps, decode) and are compared before they are timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from engines.devices.precision import DTYPES
from engines.devices.torch_device import resolve_device
from engines.editors.magicface.bench.frames import (
    GUIDANCE,
    Frame,
    Frames,
    NetworkSource,
    official_frame,
    our_frame,
    our_networks,
    same_frames,
)
from engines.editors.magicface.bench.row import Row
from engines.editors.magicface.bench.timing import apart, machine_facts, peak_gb, release, timed
from engines.editors.magicface.model.networks import Networks
from engines.editors.magicface.speed.speed import running
from engines.errors import EngineError

MODES = ("eager", "graphs", "compile")
WARM_UP_STEPS = 2


def product_tflops(device: torch.device, dtype: torch.dtype) -> float:
    """Rate of large dense matrix products on this machine, TFLOP/s: the floor's rate."""
    # A CPU without bf16 units needs 0.4 s for one product of 512 and 3.5 s for one of 1024.
    side, products = (8192, 10) if device.type == "cuda" else (512, 2)
    a, b = torch.randn((2, side, side), device=device).to(dtype)
    with running(device):
        torch.mm(a, b)
        wall, _ = timed(lambda: [torch.mm(a, b) for _ in range(products)], device, 3)
    return products * 2 * side**3 / wall / 1e12


class _Bench:
    def __init__(self, source: NetworkSource, repeats: int) -> None:
        self.source = source
        self.device = source.device
        self.size = source.size
        self.repeats = repeats
        self.floors: dict[str, float] = {}
        self.official: dict[tuple[int, int], tuple[float, Tensor]] = {}

    def floor(self, dtype: str) -> float:
        if dtype not in self.floors:
            self.floors[dtype] = product_tflops(self.device, DTYPES[dtype])
        return self.floors[dtype]

    def official_rows(self, batches: Sequence[int], steps: Sequence[int]) -> Iterator[Row]:
        for batch in batches:
            release(self.device)
            with torch.no_grad():
                try:
                    frame = official_frame(self.source, same_frames(batch, self.size, self.device))
                    frame(WARM_UP_STEPS)
                except torch.OutOfMemoryError:
                    yield Row("official", "fp32", "eager", batch, 0, fault="out of memory")
                    continue
                for count in steps:
                    yield self._row("official", "fp32", "eager", batch, count, frame)

    def our_rows(
        self, dtype: str, mode: str, batches: Sequence[int], steps: Sequence[int]
    ) -> Iterator[Row]:
        release(self.device)
        with running(self.device):
            networks = our_networks(self.source, DTYPES[dtype], mode)
            for batch in batches:
                try:
                    inputs = same_frames(batch, self.size, self.device)
                    frame = our_frame(self.source, networks, inputs, DTYPES[dtype])
                    frame(WARM_UP_STEPS)
                    extra = self._reference_ms(networks, inputs, DTYPES[dtype])
                except torch.OutOfMemoryError:
                    yield Row("ours", dtype, mode, batch, 0, fault="out of memory")
                    networks.forget()
                    continue
                for count in steps:
                    yield self._row("ours", dtype, mode, batch, count, frame, extra)

    def _reference_ms(self, networks: Networks, frames: Frames, dtype: torch.dtype) -> float:
        latents = networks.codec.encode(frames.source.to(dtype))
        wall, _ = timed(lambda: networks.codec.decode(latents), self.device, self.repeats)
        return 1000 * wall / len(latents)

    def _row(
        self,
        way: str,
        dtype: str,
        mode: str,
        batch: int,
        steps: int,
        frame: Frame,
        reference_ms: float = 0.0,
    ) -> Row:
        latents: list[Tensor] = []
        wall, cpu = timed(lambda: latents.append(frame(steps)), self.device, self.repeats)
        ms = 1000 * wall / batch
        costs = self.source.costs
        ours = way == "ours"
        tflop = costs.ours(steps, GUIDANCE) if ours else costs.official(steps, GUIDANCE)
        rate = tflop / (ms / 1000)
        known = self.official.get((batch, steps))
        if not ours:
            self.official[batch, steps] = ms, latents[-1].float().cpu()
        return Row(
            way,
            dtype,
            mode,
            batch,
            steps,
            ms_per_frame=ms,
            cpu_ms_per_frame=1000 * cpu / batch,
            frames_per_s=1000 / ms,
            tflop_per_frame=tflop,
            tflops=rate,
            share_of_floor=rate / self.floor(dtype),
            reference_ms=reference_ms,
            peak_gb=peak_gb(self.device),
            speedup=known[0] / ms if ours and known else None,
            apart=apart(latents[-1], known[1]) if ours and known else None,
        )


def run(
    *,
    weights: str = "",
    base: str | None = None,
    steps: Sequence[int] = (),
    batch: Sequence[int] = (),
    dtype: Sequence[str] = (),
    mode: Sequence[str] = (),
    device: str = "auto",
    repeats: int = 2,
    official: bool = True,
    on_row: Callable[[Row], None] = lambda _: None,
) -> dict[str, Any]:
    """Time the official way and ours.

    Args:
        weights, base: as the editor's; "" = random weights at full size (SD 1.5, 512 × 512).
        steps: default 50 on a GPU, 2 on a CPU.
        batch: frames at once; default 1 and 8 on a GPU, 1 on a CPU.
        dtype: of ours; default fp32, fp16 and bf16 on a GPU, fp32 on a CPU.
        mode: of ours, of `MODES`; default all on a GPU, eager on a CPU.
        official: time the official way too (speed-ups and `apart` need it).
        on_row: called with each row as it is done.
    Returns:
        `machine`, `floor_tflops` per dtype, and `rows` (dicts of `Row`).
    Raises:
        EngineError: no such device, mode or dtype; weights that do not load.
    """
    on = resolve_device(device)
    gpu = on.type == "cuda"
    steps = tuple(steps) or ((50,) if gpu else (2,))
    batch = tuple(batch) or ((1, 8) if gpu else (1,))
    dtypes = tuple(dtype) or (("fp32", "fp16", "bf16") if gpu else ("fp32",))
    modes = tuple(mode) or (MODES if gpu else ("eager",))
    for what, asked, known in (("dtype", dtypes, tuple(DTYPES)), ("mode", modes, MODES)):
        if wrong := [name for name in asked if name not in known]:
            raise EngineError(f"no {what} {wrong[0]!r}; known: {', '.join(known)}")
    if min(*steps, *batch, repeats) < 1:
        raise EngineError(f"got steps {steps}, batch {batch}, repeats {repeats}; expected ≥ 1")
    machine = machine_facts(on)
    source = NetworkSource(weights, base, on)
    bench = _Bench(source, repeats)
    rows: list[Row] = []
    work = [bench.official_rows(batch, steps)] if official else []
    work += [bench.our_rows(d, m, batch, steps) for d in dtypes for m in modes]
    for part in work:
        for row in part:
            rows.append(row)
            on_row(row)
    return {
        "machine": machine,
        "floor_tflops": bench.floors,
        "rows": [asdict(row) for row in rows],
    }
