"""Networks as exported graphs: run by onnxruntime, or built into TensorRT plans."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch

from engines.editors.magicface.backends.adapters import session_networks
from engines.editors.magicface.backends.arrivals import finish_plans
from engines.editors.magicface.backends.build_request import (
    graph_key_of,
    scaling_factor,
)
from engines.editors.magicface.backends.choose import Choice
from engines.editors.magicface.backends.find import load_plan
from engines.editors.magicface.backends.makers.deployment import Deployment
from engines.editors.magicface.backends.plan_builder import PlanBuilder
from engines.editors.magicface.backends.ports import COMPONENTS, PORTS
from engines.editors.magicface.model.networks import Networks
from engines.errors import EngineError
from engines.trt.accuracy import Accuracy
from engines.trt.activations import ActivationMemory
from engines.trt.binding import import_binding
from engines.trt.network import GRAPH_FILE, PLAN_FILE, SAMPLE_FILE, Session
from engines.trt.onnx_session import OnnxSession, check_provider
from engines.trt.proof import check_sample
from engines.trt.runtime import TrtSession
from engines.trt.store.entry import CacheEntry


def onnxruntime(deployment: Deployment, choice: Choice) -> Networks:
    """Graphs, exported where they are not there yet.

    Raises:
        EngineError: bf16, no provider for the device, a graph that computes something else.
    """
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


def tensorrt(deployment: Deployment, choice: Choice) -> Networks:
    """Plans of one TensorRT, that share one block of activations.

    Raises:
        EngineError: a plan is missing or stale, is refused by the library, or fails its gate.
    """
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
