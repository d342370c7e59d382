"""Eager, compiled and graph-replayed torch networks, in the layout that suits the device.

On a GPU: channels_last convolutions, fused attention in the order cuDNN, flash, memory-efficient,
plain; deterministic kernels, so that every actor gives the same bytes; one CUDA graph per network
and batch size. Nothing of this ran on a GPU where it was written (docs/magicface.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from engines.devices.precision import exact_fp32
from engines.editors.magicface.checkpoint import PROMPT_TOKENS
from engines.editors.magicface.model.cached import FullStep, ShallowStep
from engines.editors.magicface.model.networks import CachedDenoiser, Networks
from engines.editors.magicface.model.torch_networks import TorchModules
from engines.editors.magicface.model.vae import TorchCodec
from engines.editors.magicface.speed.static_call import CudaCapture, StaticCall

ATTENTION_ORDER = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
ATTENTION_SHAPES = (
    *(
        (width, tokens, 2 * tokens)
        for width, tokens in ((40, 4096), (80, 1024), (160, 256), (160, 64))
    ),
    *((width, tokens, PROMPT_TOKENS) for width, tokens in ((40, 4096), (80, 1024), (160, 256))),
    *((width, tokens, tokens) for width, tokens in ((40, 4096), (80, 1024), (160, 256), (160, 64))),
)
"""Head width, queries and keys of every attention at 512 × 512: the denoiser's blocks (the identity
doubles the keys), their prompt, the ID encoder's blocks."""


@contextmanager
def steady_kernels() -> Iterator[None]:
    """The same bytes in every process while open: no timing contests between kernels, no TF32."""
    cudnn: Any = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        with exact_fp32():
            yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before


@contextmanager
def running(device: torch.device) -> Iterator[None]:
    """What every call of the networks happens in: no gradients, steady kernels, fused attention.

    On a GPU it is also the current one: streams and captures belong to the current device.
    """
    with torch.no_grad(), steady_kernels():
        if device.type == "cuda":
            order = attention_order(device)
            with torch.cuda.device(device), sdpa_kernel(order, set_priority=True):
                yield
        else:
            yield


@cache
def attention_order(device: torch.device) -> list[SDPBackend]:
    """The order to try attention kernels in; tried out once per device and process.

    cuDNN's, the fastest on Hopper, comes first only if it runs here and agrees with the plain sum:
    where one of its plans cannot be built it raises instead of leaving the work to the next kernel.
    """
    generator = torch.Generator().manual_seed(0)
    for width, queries, keys in ATTENTION_SHAPES:
        q, k, v = (
            torch.randn((1, tokens, 8 * width), generator=generator)
            .to(device, torch.float16)
            .unflatten(2, (8, width))
            .transpose(1, 2)
            for tokens in (queries, keys, keys)
        )
        with sdpa_kernel([SDPBackend.MATH]):
            plain = scaled_dot_product_attention(q, k, v)
        try:
            with sdpa_kernel([ATTENTION_ORDER[0], SDPBackend.MATH], set_priority=True):
                fast = scaled_dot_product_attention(q, k, v)
        except RuntimeError:
            return ATTENTION_ORDER[1:]
        if not torch.allclose(fast, plain, rtol=0, atol=1e-2):
            return ATTENTION_ORDER[1:]
    return ATTENTION_ORDER


def compiled(module: nn.Module, mode: str = "default") -> Callable[..., Any]:
    """A module behind torch.compile, for fixed shapes; compiled at its first call."""
    return torch.compile(module, mode=mode, dynamic=False)


def torch_networks(
    modules: TorchModules,
    runs_on: str,
    *,
    compile_mode: str | None = None,
    cuda_graphs: bool = True,
    cached: bool = False,
) -> Networks:
    """Modules as networks, made fast for the device they are on.

    Args:
        compile_mode: None = eager, else torch.compile's mode.
        cuda_graphs: capture each network per batch size; only on a GPU.
        cached: the denoiser also in the two parts that reuse its deep features.
    """
    device = modules.device
    parts: dict[str, Any] = {
        "id_encoder": modules.id_encoder,
        "denoiser": modules.denoiser,
        "vae_encoder": modules.vae_encoder,
        "vae_decoder": modules.vae_decoder,
    }
    if cached:
        parts |= {"full": FullStep(modules.denoiser), "shallow": ShallowStep(modules.denoiser)}
    if device.type == "cuda":
        for part in parts.values():
            part.to(memory_format=torch.channels_last)
    if compile_mode is not None:
        parts = {name: compiled(part, compile_mode) for name, part in parts.items()}
    if cuda_graphs and device.type == "cuda":
        capture = CudaCapture()
        graphs = {name: StaticCall(part, capture) for name, part in parts.items()}
        forget = partial(_forget, graphs, capture)
        return replace(_networks(modules, graphs, runs_on), forget=forget)
    return _networks(modules, parts, runs_on)


def _forget(graphs: dict[str, StaticCall], capture: CudaCapture) -> None:
    for graph in graphs.values():
        graph.forget()
    capture.start_pool()
    torch.cuda.empty_cache()


def _networks(modules: TorchModules, parts: dict[str, Any], runs_on: str) -> Networks:
    codec = TorchCodec(parts["vae_encoder"], parts["vae_decoder"], modules.scaling_factor)
    cached = CachedDenoiser(parts["full"], parts["shallow"]) if "full" in parts else None
    return Networks(
        parts["id_encoder"], parts["denoiser"], codec, modules.image_size, runs_on, cached=cached
    )


def resolve_dtype(asked: str, device: torch.device) -> str:
    """`auto` → fp16 on a GPU (ten times closer to fp32 than bf16 at its speed), fp32 on a CPU."""
    if asked != "auto":
        return asked
    return "fp16" if device.type == "cuda" else "fp32"
