"""The networks on whatever runs them best here: the editor gets the same four callables each time.

networks, choice = make_networks(folders, backend="auto", dtype="fp16", frames=4)
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Protocol

import torch

from engines.editors.magicface.backends.arrivals import have_come
from engines.editors.magicface.backends.choose import Choice, Machine, candidates, probe_machine
from engines.editors.magicface.backends.makers.deployment import Deployment, Say
from engines.editors.magicface.backends.makers.graph_backends import onnxruntime, tensorrt
from engines.editors.magicface.backends.makers.torch_backends import compiled, eager
from engines.editors.magicface.folders import WeightFolders, native_size
from engines.editors.magicface.model.networks import Networks
from engines.errors import EngineError
from engines.trt.errors import StalePlanError
from engines.trt.store.cache import PlanCache


class Maker(Protocol):
    """Makes the networks with one backend, or raises an EngineError."""

    def __call__(self, deployment: Deployment, choice: Choice, /) -> Networks: ...


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


MAKERS: dict[str, Maker] = {
    "eager": eager,
    "compile": compiled,
    "onnxruntime": onnxruntime,
    "tensorrt": tensorrt,
    "tensorrt-rtx": tensorrt,
}
