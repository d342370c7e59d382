"""The networks on whatever runs them best here: the editor gets the same four callables each time.

networks, choice = make_networks(folders, backend="auto", dtype="fp16", frames=4)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from engines.editors.magicface.backends.adapters import Session, session_networks
from engines.editors.magicface.backends.build_request import Order, graph_key_of, scaling_factor
from engines.editors.magicface.backends.choose import Choice, Machine, candidates, look_around
from engines.editors.magicface.backends.components import sample_inputs
from engines.editors.magicface.backends.find import load_engine
from engines.editors.magicface.backends.ports import (
    GRAPH_FILE,
    INPUTS,
    ORDER,
    PLAN_FILE,
    SAMPLE_FILE,
)
from engines.editors.magicface.backends.prepare import Workshop
from engines.editors.magicface.backends.witness import check_sample
from engines.editors.magicface.folders import WeightFolders, native_size
from engines.editors.magicface.model.networks import Networks
from engines.editors.magicface.model.torch_networks import DTYPES, TorchModules, load_modules
from engines.editors.magicface.speed.speed import running, torch_networks
from engines.errors import EngineError
from engines.trt.binding import import_binding
from engines.trt.cache import EngineCache
from engines.trt.entry import Entry
from engines.trt.errors import EngineBuildError
from engines.trt.key import BatchProfile
from engines.trt.onnx_session import OnnxSession, check_provider
from engines.trt.parity import Parity
from engines.trt.runtime import TrtSession

Say = Callable[[str], None]


class Maker(Protocol):
    """Makes the networks with one backend, or raises an EngineError."""

    def __call__(self, site: Site, choice: Choice, /) -> Networks: ...


@dataclass(frozen=True)
class Site:
    """Everything a backend needs to know of what is asked and where it runs.

    Attributes:
        frames: the most frames per call.
        rows: the most rows per call of the denoiser: frames, doubled under guidance.
        image_size: side in pixels.
        device: torch device.
        cuda_graphs: replay torch networks from captured graphs on a GPU.
    """

    folders: WeightFolders
    dtype: str
    frames: int
    rows: int
    image_size: int
    device: str
    machine: Machine
    cache: EngineCache
    say: Say
    cuda_graphs: bool = True

    def order(self, *, engines: bool) -> Order:
        """What would have to be made for this site."""
        return Order(
            folders=self.folders,
            dtype=self.dtype,
            image_size=self.image_size,
            batch=BatchProfile(1, self.frames, self.frames),
            sm=self.machine.sm if engines else None,
            gpu=self.machine.gpu,
            gpu_sm=self.machine.sm,
            device=self.device,
        )

    def rows_of(self, component: str) -> int:
        """Batch a component is called with."""
        return self.rows if component == "denoiser" else self.frames

    def told(self, what: str, choice: Choice, parities: Sequence[Parity] = ()) -> str:
        """`Networks.runs_on`: it stands in the report, and at the end of what a job prints."""
        where = self.machine.gpu if self.device.startswith("cuda") else self.device
        worst = max(parities, key=lambda p: p.error, default=None)
        gate = "" if worst is None else f"; parity with torch at worst {worst}"
        return f"{what} {self.dtype} on {where} ({choice.reason}{gate})"


def make_networks(
    folders: WeightFolders,
    *,
    backend: str = "auto",
    dtype: str = "fp32",
    frames: int = 1,
    guidance: bool = True,
    image_size: int | None = None,
    device: str | None = None,
    machine: Machine | None = None,
    cache: EngineCache | None = None,
    say: Say = lambda _: None,
    cuda_graphs: bool = True,
) -> tuple[Networks, Choice]:
    """The four networks on the backend asked for, warmed up and compared with torch.

    Args:
        backend: one of `choose.NAMES`. `auto` goes on to the next backend when one cannot serve
            (no engine built, a stale one, a failed parity gate); any other name is taken or
            refused.
        dtype: `fp32`, `fp16` or `bf16`; engines exist in the last two.
        frames: the most frames per call; with guidance the denoiser gets twice as many rows.
        image_size: side in pixels; None = as the weights were trained.
        device: torch device; None = the GPU where there is one.
        say: told, line by line, what is loaded and how the golden comparison went.
        cuda_graphs: on a GPU, backends eager and compile replay captured graphs.
    Returns:
        The networks, and the backend with its reason (also in `Networks.runs_on`).
    Raises:
        EngineError: what an explicit backend, or the last one of `auto`, could not do.
    """
    machine = machine or look_around(device)
    site = Site(
        folders=folders,
        dtype=dtype,
        frames=frames,
        rows=frames * (2 if guidance else 1),
        image_size=image_size or native_size(folders),
        device=device or machine.device,
        machine=machine,
        cache=cache or EngineCache(),
        say=say,
        cuda_graphs=cuda_graphs,
    )
    passed: list[str] = []
    choices = candidates(backend, site.machine)
    for choice in choices:
        told = replace(choice, reason="; ".join([choice.reason, *passed]))
        try:
            return MAKERS[choice.backend](site, told), told
        except (EngineError, torch.OutOfMemoryError) as error:
            if choice is choices[-1]:
                raise
            reason = str(error).partition("\n")[0]
            passed.append(f"not {choice.backend}: {reason}")
            say(passed[-1])
    raise AssertionError("candidates() gives at least one")


def _modules(site: Site) -> TorchModules:
    modules = load_modules(site.folders, site.device, DTYPES[site.dtype])
    return replace(modules, image_size=site.image_size)


def _eager(site: Site, choice: Choice) -> Networks:
    told = site.told("torch eager", choice)
    return torch_networks(_modules(site), told, cuda_graphs=site.cuda_graphs)


def _compiled(site: Site, choice: Choice) -> Networks:
    """Each network compiled by itself and run once at its batch, so that a failure shows here."""
    modules = _modules(site)
    told = site.told("torch compile", choice)
    ready = torch_networks(modules, told, compile_mode="default", cuda_graphs=site.cuda_graphs)
    calls: dict[str, Any] = {
        "vae_encoder": ready.codec.encode,
        "vae_decoder": ready.codec.decode,
        "id_encoder": ready.id_encoder,
        "denoiser": ready.denoiser,
    }
    for component in ORDER:
        rows = site.rows_of(component)
        inputs = sample_inputs(component, modules, batch=rows, dtype=DTYPES[site.dtype])
        values = [inputs[name] for name in INPUTS[component]]
        site.say(f"compiling the {component} for a batch of {rows}")
        try:
            with running(modules.device):
                _call(component, calls[component], values)
        except RuntimeError as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise EngineBuildError(f"torch.compile of the {component}: {reason}") from None
    return ready


def _call(component: str, module: Any, values: list[torch.Tensor]) -> None:
    if component == "denoiser":
        module(*values[:4], tuple(zip(values[4::2], values[5::2], strict=True)))
    else:
        module(*values)


def _onnxruntime(site: Site, choice: Choice) -> Networks:
    if site.dtype == "bf16":
        raise EngineError("backend 'onnxruntime': got dtype bf16; expected fp32 or fp16")
    check_provider(site.device)  # before the minutes an export takes
    workshop = Workshop(
        site.order(engines=False), None, site.cache, lambda c, what, _: site.say(f"{c}: {what}")
    )
    sessions: dict[str, Session] = {}
    parities: list[Parity] = []
    for component in ORDER:
        entry = workshop.graph(component).entry
        entry = site.cache.load(graph_key_of(workshop.order, component, None))
        session = OnnxSession(entry.path(GRAPH_FILE), site.device)
        parities.append(_gate(site, component, session, f"onnxruntime {session.version}", entry))
        sessions[component] = session
    return _served(site, sessions, site.told("onnxruntime", choice, parities))


def _tensorrt(site: Site, choice: Choice) -> Networks:
    binding = import_binding(choice.backend)
    sessions: dict[str, TrtSession] = {}
    parities: list[Parity] = []
    for component in ORDER:
        rows = site.rows_of(component)
        entry = load_engine(site.cache, site.order(engines=True), component, binding, rows=rows)
        session = TrtSession(
            binding,
            entry.path(PLAN_FILE),
            device=site.device,
            cuda_graphs=component == "denoiser",
            runtime_cache=entry.path(f"runtime-{_slug(site.machine.gpu or 'none')}.cache"),
        )
        parities.append(_gate(site, component, session, binding.label, entry))
        session.save_runtime_cache()
        sessions[component] = session

    def forget() -> None:
        for session in sessions.values():
            session.forget()
        if site.device.startswith("cuda"):
            torch.cuda.empty_cache()  # TensorRT allocates beside torch, and cannot ask it to let go

    return _served(site, sessions, site.told(binding.label, choice, parities), forget)


def _gate(site: Site, component: str, session: Session, label: str, entry: Entry) -> Parity:
    """Warm up at the batch to come, and compare one golden output before serving.

    The first call runs and records a CUDA graph, the second replays it: that one is compared.
    """
    parity = check_sample(
        component,
        session,
        label,
        entry.path(SAMPLE_FILE),
        dtype=site.dtype,
        device=site.device,
        rows=site.rows_of(component),
        calls=2,
    )
    site.say(f"parity: {parity}")
    return parity


def _served(
    site: Site,
    sessions: Mapping[str, Session],
    runs_on: str,
    forget: Callable[[], None] = lambda: None,
) -> Networks:
    return session_networks(
        sessions,
        scaling_factor=scaling_factor(site.folders),
        image_size=site.image_size,
        runs_on=runs_on,
        forget=forget,
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


MAKERS: dict[str, Maker] = {
    "eager": _eager,
    "compile": _compiled,
    "onnxruntime": _onnxruntime,
    "tensorrt": _tensorrt,
    "tensorrt-rtx": _tensorrt,
}
