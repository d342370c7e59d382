"""Networks that torch runs itself: as they are, or compiled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from engines.devices.precision import DTYPES
from engines.editors.magicface.backends.choose import Choice
from engines.editors.magicface.backends.components import sample_inputs
from engines.editors.magicface.backends.makers.deployment import Deployment
from engines.editors.magicface.backends.ports import COMPONENTS, PORTS
from engines.editors.magicface.model.networks import CachedDenoiser, Networks
from engines.editors.magicface.model.torch_networks import TorchModules, load_modules
from engines.editors.magicface.speed.speed import running, torch_networks
from engines.trt.errors import PlanBuildError


def _modules(deployment: Deployment) -> TorchModules:
    modules = load_modules(deployment.folders, deployment.device, DTYPES[deployment.dtype])
    return replace(modules, image_size=deployment.image_size)


def eager(deployment: Deployment, choice: Choice) -> Networks:
    """As they are."""
    runs_on = deployment.runs_on("torch eager", choice)
    return torch_networks(
        _modules(deployment),
        runs_on,
        cuda_graphs=deployment.cuda_graphs,
        cached=deployment.cached,
    )


def compiled(deployment: Deployment, choice: Choice) -> Networks:
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
