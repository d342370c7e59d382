"""The networks on whatever runs them best here: the editor gets the same four callables each time.

networks, choice = make_networks(folders, backend="auto", dtype="fp16", frames=4)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

import torch

from engines.devices.precision import DTYPES
from engines.editors.magicface.backends.adapters import session_networks
from engines.editors.magicface.backends.arrivals import finish_plans, have_come
from engines.editors.magicface.backends.build_request import (
    BuildRequest,
    graph_key_of,
    scaling_factor,
)
from engines.editors.magicface.backends.choose import Choice, Machine, candidates, probe_machine
from engines.editors.magicface.backends.components import sample_inputs
from engines.editors.magicface.backends.find import load_plan
from engines.editors.magicface.backends.plan_builder import PlanBuilder
from engines.editors.magicface.backends.ports import COMPONENTS, PORTS
from engines.editors.magicface.folders import WeightFolders, native_size
from engines.editors.magicface.model.networks import CachedDenoiser, Networks
from engines.editors.magicface.model.torch_networks import TorchModules, load_modules
from engines.editors.magicface.speed.speed import running, torch_networks
from engines.errors import EngineError
from engines.trt.accuracy import Accuracy
from engines.trt.activations import ActivationMemory
from engines.trt.binding import import_binding
from engines.trt.errors import PlanBuildError, StalePlanError
from engines.trt.network import GRAPH_FILE, PLAN_FILE, SAMPLE_FILE, Session
from engines.trt.onnx_session import OnnxSession, check_provider
from engines.trt.proof import check_sample
from engines.trt.runtime import TrtSession
from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import CacheEntry
from engines.trt.store.key import BatchProfile

Say = Callable[[str], None]


class Maker(Protocol):
    """Makes the networks with one backend, or raises an EngineError."""

    def __call__(self, deployment: Deployment, choice: Choice, /) -> Networks: ...


@dataclass(frozen=True)
class Deployment:
    """Everything a backend needs to know of what is asked and where it runs.

    Attributes:
        frames: the most frames per call.
        rows: the most rows per call of the denoiser: frames, doubled under guidance.
        image_size: side in pixels.
        device: torch device.
        cuda_graphs: replay torch networks from captured graphs on a GPU.
        finishes: builds classic TensorRT's plans where it finds their graphs.
        cached: the denoiser's deep features are to be reused.
    """

    folders: WeightFolders
    dtype: str
    frames: int
    rows: int
    image_size: int
    device: str
    machine: Machine
    cache: PlanCache
    say: Say
    cuda_graphs: bool = True
    finishes: bool = False
    cached: bool = False

    def build_request(self, *, plans: bool) -> BuildRequest:
        """What would have to be made for this deployment."""
        return BuildRequest(
            folders=self.folders,
            dtype=self.dtype,
            image_size=self.image_size,
            batch=BatchProfile(1, self.frames, self.frames),
            sm=self.machine.sm if plans else None,
            gpu=self.machine.gpu,
            gpu_sm=self.machine.sm,
            device=self.device,
        )

    def rows_of(self, component: str) -> int:
        """Batch a component is called with."""
        return self.rows if component == "denoiser" else self.frames

    def runs_on(
        self, what: str, choice: Choice, found: Mapping[str, Accuracy] = MappingProxyType({})
    ) -> str:
        """`Networks.runs_on`: it stands in the report, and at the end of what a job prints."""
        where = self.machine.gpu if self.device.startswith("cuda") else self.device
        worst = max(found.values(), key=lambda a: a.error / a.bound, default=None)
        gate = "" if worst is None else f"; beside torch at worst {worst}"
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
    cache: PlanCache | None = None,
    say: Say = lambda _: None,
    cuda_graphs: bool = True,
    finishes: bool = False,
    cached: bool = False,
) -> tuple[Networks, Choice]:
    """The four networks on the backend asked for, warmed up and compared with torch.

    Args:
        backend: one of `settings.BACKENDS`. `auto` goes on to the next backend when one cannot
            serve (no plan built, a stale one, a failed accuracy gate); any other name is taken or
            refused.
        dtype: `fp32`, `fp16` or `bf16`; plans exist in the last two.
        frames: the most frames per call; with guidance the denoiser gets twice as many rows.
        image_size: side in pixels; None = as the weights were trained.
        device: torch device; None = the GPU where there is one.
        say: called, line by line, with what is loaded and how the golden comparison went.
        cuda_graphs: on a GPU, backends eager and compile replay captured graphs.
        finishes: with `auto`, build classic TensorRT's plans where their graphs are here: this
            process holds the GPU they are built on.
        cached: the denoiser must also come in two parts (`Networks.cached`): torch's own backends.
    Returns:
        The networks, and the backend with its reason (also in `Networks.runs_on`). With `auto`,
        `Networks.is_outdated` tells when plans have come that were missing.
    Raises:
        EngineError: what an explicit backend, or the last one of `auto`, could not do.
    """
    machine = machine or probe_machine(device)
    deployment = Deployment(
        folders=folders,
        dtype=dtype,
        frames=frames,
        rows=frames * (2 if guidance else 1),
        image_size=image_size or native_size(folders),
        device=device or machine.device,
        machine=machine,
        cache=cache or PlanCache(),
        say=say,
        cuda_graphs=cuda_graphs,
        finishes=finishes and backend == "auto",
        cached=cached,
    )
    passed: list[str] = []
    awaited: list[str] = []
    choices = candidates(backend, deployment.machine, torch_only=cached)
    for choice in choices:
        reasoned = replace(choice, reason="; ".join([choice.reason, *passed]))
        try:
            made = MAKERS[choice.backend](deployment, reasoned)
            return replace(made, is_outdated=partial(_any_came, deployment, awaited)), reasoned
        except (EngineError, torch.OutOfMemoryError) as error:
            if choice is choices[-1]:
                raise
            if isinstance(error, StalePlanError):
                awaited.append(choice.backend)
            reason = str(error).partition("\n")[0]
            passed.append(f"not {choice.backend}: {reason}")
            say(passed[-1])
    raise AssertionError("candidates() gives at least one")


def _any_came(deployment: Deployment, awaited: list[str]) -> bool:
    request = deployment.build_request(plans=True) if awaited else None
    return any(request and have_come(request, name, deployment.cache) for name in awaited)


def _modules(deployment: Deployment) -> TorchModules:
    modules = load_modules(deployment.folders, deployment.device, DTYPES[deployment.dtype])
    return replace(modules, image_size=deployment.image_size)


def _eager(deployment: Deployment, choice: Choice) -> Networks:
    runs_on = deployment.runs_on("torch eager", choice)
    return torch_networks(
        _modules(deployment),
        runs_on,
        cuda_graphs=deployment.cuda_graphs,
        cached=deployment.cached,
    )


def _compiled(deployment: Deployment, choice: Choice) -> Networks:
    """Each network compiled by itself and run once at its batch, so that a failure shows here."""
    modules = _modules(deployment)
    runs_on = deployment.runs_on("torch compile", choice)
    ready = torch_networks(
        modules,
        runs_on,
        compile_mode="default",
        cuda_graphs=deployment.cuda_graphs,
        cached=deployment.cached,
    )
    calls: dict[str, Any] = {
        "vae_encoder": ready.codec.encode,
        "vae_decoder": ready.codec.decode,
        "id_encoder": ready.id_encoder,
        "denoiser": ready.denoiser,
    }
    for component in COMPONENTS:
        rows = deployment.rows_of(component)
        inputs = sample_inputs(component, modules, batch=rows, dtype=DTYPES[deployment.dtype])
        values = [inputs[name] for name in PORTS[component].inputs]
        deployment.say(f"compiling the {component} for a batch of {rows}")
        try:
            with running(modules.device):
                if component == "denoiser" and ready.cached is not None:
                    _call_in_parts(ready.cached, values)
                else:
                    _call(component, calls[component], values)
        except RuntimeError as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise PlanBuildError(f"torch.compile of the {component}: {reason}") from None
    return ready


def _call_in_parts(denoiser: CachedDenoiser, values: list[torch.Tensor]) -> None:
    given = (*values[:4], tuple(zip(values[4::2], values[5::2], strict=True)))
    denoiser.shallow(*given, denoiser.full(*given)[1])


def _call(component: str, module: Any, values: list[torch.Tensor]) -> None:
    if component == "denoiser":
        module(*values[:4], tuple(zip(values[4::2], values[5::2], strict=True)))
    else:
        module(*values)


def _onnxruntime(deployment: Deployment, choice: Choice) -> Networks:
    if deployment.dtype == "bf16":
        raise EngineError("backend 'onnxruntime': got dtype bf16; expected fp32 or fp16")
    check_provider(deployment.device)  # before the minutes an export takes
    builder = PlanBuilder(
        deployment.build_request(plans=False),
        None,
        deployment.cache,
        lambda c, what, _: deployment.say(f"{c}: {what}"),
    )
    sessions: dict[str, Session] = {}
    found: dict[str, Accuracy] = {}
    for component in COMPONENTS:
        entry = builder.graph(component).entry
        entry = deployment.cache.load(graph_key_of(builder.request, component, None))
        session = OnnxSession(
            entry.path(GRAPH_FILE), deployment.device, steady=PORTS[component].steady
        )
        label = f"onnxruntime {session.version}"
        found[component] = _gate(deployment, component, session, label, entry)
        sessions[component] = session
    return _served(deployment, sessions, deployment.runs_on("onnxruntime", choice, found))


def _tensorrt(deployment: Deployment, choice: Choice) -> Networks:
    binding = import_binding(choice.backend)
    if deployment.finishes:
        finish_plans(
            deployment.build_request(plans=True), binding, deployment.cache, deployment.say
        )
    sessions: dict[str, TrtSession] = {}
    found: dict[str, Accuracy] = {}
    memory = ActivationMemory(deployment.device)
    for component in COMPONENTS:
        rows = deployment.rows_of(component)
        entry = load_plan(
            deployment.cache, deployment.build_request(plans=True), component, binding, rows=rows
        )
        session = TrtSession(
            binding,
            entry.path(PLAN_FILE),
            device=deployment.device,
            cuda_graphs=component == "denoiser",
            steady=PORTS[component].steady,
            memory=memory,
            runtime_cache=entry.path(f"runtime-{_slug(deployment.machine.gpu or 'none')}.cache"),
        )
        found[component] = _gate(deployment, component, session, binding.label, entry)
        session.save_runtime_cache()
        sessions[component] = session

    def forget() -> None:
        for session in sessions.values():
            session.forget()
        if deployment.device.startswith("cuda"):
            torch.cuda.empty_cache()  # TensorRT allocates beside torch, and cannot ask it to let go

    return _served(deployment, sessions, deployment.runs_on(binding.label, choice, found), forget)


def _gate(
    deployment: Deployment, component: str, session: Session, label: str, entry: CacheEntry
) -> Accuracy:
    """Warm up at the batch to come, and compare one golden output before serving.

    The first call runs and records a CUDA graph, the second replays it: that one is compared.
    """
    accuracy = check_sample(
        component,
        session,
        label,
        entry.path(SAMPLE_FILE),
        device=deployment.device,
        rows=deployment.rows_of(component),
        calls=2,
    )
    deployment.say(f"accuracy: {accuracy}")
    return accuracy


def _served(
    deployment: Deployment,
    sessions: Mapping[str, Session],
    runs_on: str,
    forget: Callable[[], None] = lambda: None,
) -> Networks:
    return session_networks(
        sessions,
        scaling_factor=scaling_factor(deployment.folders),
        image_size=deployment.image_size,
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
