"""MagicFace on every backend that can run here, beside eager and compile, in one run.

All compute the same frames (source and background encoded, ID encoder, all steps with guidance,
decode) from the same weights; plans that are not in the store are built first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from engines.devices.precision import DTYPES
from engines.devices.torch_device import resolve_device
from engines.editors.magicface.backends.backends import make_networks
from engines.editors.magicface.backends.build_request import BuildRequest
from engines.editors.magicface.backends.choose import Machine, probe_machine, unavailable_reason
from engines.editors.magicface.backends.plan_builder import PlanBuilder
from engines.editors.magicface.bench.frames import GUIDANCE, NetworkSource, our_frame, same_frames
from engines.editors.magicface.bench.timing import apart, machine_facts, release, timed, used_gb
from engines.editors.magicface.bench.weights import random_weights
from engines.editors.magicface.folders import WeightFolders
from engines.editors.magicface.model.networks import Networks
from engines.editors.magicface.speed.speed import running
from engines.editors.magicface.traits import BACKENDS
from engines.errors import EngineError, EngineUnavailableError
from engines.trt.binding import MODULES, import_binding
from engines.trt.store.cache import PlanCache
from engines.trt.store.key import BatchProfile

BESIDE = ("eager", "compile")
"""Measured with every other, as what it is compared with."""
BATCHES = (1, 4, 8)
WARM_UP_STEPS = 2
Say = Callable[[str], None]


@dataclass(frozen=True)
class BackendRow:
    """One backend at one batch size, timed.

    Attributes:
        ms_per_frame: the best of the repeats, wall clock.
        cpu_ms_per_frame: processor time of the same run.
        tflops: reached, TFLOP/s, of the exact algebra.
        memory_gb: taken of the GPU by everybody, or the process's peak so far on a CPU.
        times_eager, times_compile: how many times as fast; None where that one has no figure.
        apart: largest difference of the final latents from eager's, relative.
        fault: why there are no figures (out of memory).
    """

    backend: str
    dtype: str
    batch: int
    steps: int
    ms_per_frame: float = 0.0
    cpu_ms_per_frame: float = 0.0
    frames_per_s: float = 0.0
    tflops: float = 0.0
    memory_gb: float = 0.0
    times_eager: float | None = None
    times_compile: float | None = None
    apart: float | None = None
    fault: str = ""


def asked_backends(names: Sequence[str], machine: Machine) -> tuple[list[str], dict[str, str]]:
    """What is measured, eager and compile first, and what cannot run here with its reason.

    Args:
        names: `auto` = all there are.
    Raises:
        EngineError: no such backend.
        EngineUnavailableError: the only one asked for by name cannot run here.
    """
    if unknown := [name for name in names if name not in BACKENDS]:
        raise EngineError(f"no backend {unknown[0]!r}; known: {', '.join(BACKENDS)}")
    asked = BACKENDS[1:] if "auto" in names else tuple(dict.fromkeys((*BESIDE, *names)))
    reasons = {
        name: why for name in asked if (why := unavailable_reason(name, machine)) is not None
    }
    if len(names) == 1 and (why := reasons.get(names[0])) is not None:
        raise EngineUnavailableError(f"backend {names[0]!r}: {why}")
    return [name for name in asked if name not in reasons], reasons


@dataclass(frozen=True)
class _Bench:
    source: NetworkSource
    folders: WeightFolders
    machine: Machine
    cache: PlanCache
    batches: tuple[int, ...]
    repeats: int
    say: Say

    def networks(self, backend: str, dtype: str) -> Networks:
        """Ready to run at every batch size; plans are built where the store has none."""
        if backend in MODULES:
            self._build(backend, dtype)
        made, _ = make_networks(
            self.folders,
            backend=backend,
            dtype=dtype,
            frames=max(self.batches),
            device=str(self.source.device),
            machine=self.machine,
            cache=self.cache,
            say=self.say,
        )
        return made

    def _build(self, backend: str, dtype: str) -> None:
        machine, most = self.machine, max(self.batches)
        here = (machine.sm, machine.gpu, machine.sm, str(self.source.device))
        request = BuildRequest(
            self.folders, dtype, self.source.size, BatchProfile(1, most, most), *here
        )
        builder = PlanBuilder(request, import_binding(backend), self.cache)
        for done in builder.run():
            how = "made" if done.made_now else "found"
            self.say(f"{how} {done.entry.component} {done.entry.kind} in {done.seconds:.1f} s")

    def rows(self, backend: str, dtype: str, steps: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """(row, final latents) per batch and number of steps."""
        device = self.source.device
        release(device)
        networks = self.networks(backend, dtype)
        with running(device):
            for batch in self.batches:
                inputs = same_frames(batch, self.source.size, device)
                frame = our_frame(self.source, networks, inputs, DTYPES[dtype])
                try:
                    frame(WARM_UP_STEPS)
                    for count in steps:
                        yield self._row(BackendRow(backend, dtype, batch, count), frame)
                except torch.OutOfMemoryError:
                    yield BackendRow(backend, dtype, batch, 0, fault="out of memory"), None
                    networks.forget()

    def _row(self, row: BackendRow, frame: Callable[[int], Tensor]) -> tuple[BackendRow, Tensor]:
        latents: list[Tensor] = []
        device = self.source.device
        wall, cpu = timed(lambda: latents.append(frame(row.steps)), device, self.repeats)
        ms = 1000 * wall / row.batch
        made = replace(
            row,
            ms_per_frame=ms,
            cpu_ms_per_frame=1000 * cpu / row.batch,
            frames_per_s=1000 / ms,
            tflops=self.source.costs.ours(row.steps, GUIDANCE) / (ms / 1000),
            memory_gb=used_gb(device),
        )
        return made, latents[-1].float().cpu()


def run_backends(
    *,
    weights: str = "",
    base: str | None = None,
    network: str = "full",
    backend: Sequence[str] = ("auto",),
    steps: Sequence[int] = (),
    batch: Sequence[int] = (),
    dtype: Sequence[str] = (),
    device: str = "auto",
    repeats: int = 2,
    cache: PlanCache | None = None,
    on_row: Callable[[BackendRow], None] = lambda _: None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Time every backend asked for beside eager and compile.

    Args:
        weights, base: as the editor's; "" = random weights, kept in aureel's cache folder.
        network: size of the random weights, of `benchmark_weights.SIZES`.
        backend: of `settings.BACKENDS`; `auto` = all.
        steps: default 50 on a GPU, 2 on a CPU.
        batch: frames at once; default `BATCHES`.
        dtype: default fp16 on a GPU, fp32 on a CPU.
        on_row, say: called with each row, and with what is built and compared.
    Returns:
        `machine`, `rows` (dicts of `BackendRow`), and `cannot_run`: backend → reason.
    Raises:
        EngineError: nothing of that name; the only backend asked for by name cannot run.
    """
    on = resolve_device(device)
    steps = tuple(steps) or ((50,) if on.type == "cuda" else (2,))
    batches, dtypes = tuple(batch) or BATCHES, tuple(dtype) or _usual(on)
    if wrong := [name for name in dtypes if name not in DTYPES]:
        raise EngineError(f"no dtype {wrong[0]!r}; known: {', '.join(DTYPES)}")
    if min(*steps, *batches, repeats) < 1:
        raise EngineError(f"got steps {steps}, batch {batches}, repeats {repeats}; expected ≥ 1")
    machine = probe_machine(str(on))
    able, cannot = asked_backends(backend, machine)
    facts = machine_facts(on)
    source = NetworkSource(weights or str(random_weights(network)), base, on)
    assert source.folders is not None
    store = cache or PlanCache()
    bench = _Bench(source, source.folders, machine, store, batches, repeats, say)
    rows: list[BackendRow] = []
    known: dict[tuple[str, str, int, int], tuple[float, Tensor]] = {}
    for name, kind in [(n, d) for d in dtypes for n in able]:
        try:
            for row, latents in bench.rows(name, kind, steps):
                if latents is not None:
                    known[name, kind, row.batch, row.steps] = row.ms_per_frame, latents
                rows.append(_compared(row, known))
                on_row(rows[-1])
        except EngineError as error:
            if tuple(backend) == (name,):
                raise
            cannot[f"{name} {kind}"] = str(error)
    return {"machine": facts, "rows": [asdict(row) for row in rows], "cannot_run": cannot}


def _usual(on: torch.device) -> tuple[str, ...]:
    return ("fp16",) if on.type == "cuda" else ("fp32",)


def _compared(
    row: BackendRow, known: dict[tuple[str, str, int, int], tuple[float, Tensor]]
) -> BackendRow:
    """The row beside those of eager and compile at its dtype, batch and steps."""
    if row.fault:
        return row
    of = (row.dtype, row.batch, row.steps)
    _, latents = known[row.backend, *of]
    eager, compiled = (known.get((name, *of)) for name in BESIDE)
    return replace(
        row,
        times_eager=eager[0] / row.ms_per_frame if eager else None,
        times_compile=compiled[0] / row.ms_per_frame if compiled else None,
        apart=apart(latents, eager[1]) if eager else None,
    )


def backends_table(result: dict[str, Any]) -> Table:
    """What `run_backends` measured, for a person; what cannot run stands below with its reason."""
    machine = result["machine"]
    refused = [f"{name} cannot run here: {why}" for name, why in result["cannot_run"].items()]
    names = ("backend", "batch", "steps", "ms/frame", "frames/s", "TFLOP/s", "GB")
    title = f"MagicFace on {machine['device']}, {machine['threads']} threads"
    shown = Table(
        *names, "× eager", "× compile", "apart", title=title, caption="\n".join(refused) or None
    )
    for row in (BackendRow(**fields) for fields in result["rows"]):
        if row.fault:
            shown.add_row(f"{row.backend} {row.dtype}", str(row.batch), row.fault)
            continue
        shown.add_row(
            f"{row.backend} {row.dtype}",
            str(row.batch),
            str(row.steps),
            f"{row.ms_per_frame:.1f}",
            f"{row.frames_per_s:.3g}",
            f"{row.tflops:.3g}",
            f"{row.memory_gb:.1f}",
            "" if row.times_eager is None else f"{row.times_eager:.2f}",
            "" if row.times_compile is None else f"{row.times_compile:.2f}",
            "" if row.apart is None else f"{row.apart:.1e}",
        )
    return shown
