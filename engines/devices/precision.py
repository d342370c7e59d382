"""Number formats of networks: their names, full float32 on a GPU, and what rounding alone does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from engines.devices.dtype_names import TORCH_NAMES
from engines.errors import EngineError, NumericOverflowError

DTYPES: dict[str, torch.dtype] = {name: getattr(torch, own) for name, own in TORCH_NAMES.items()}
"""`fp32`, `fp16`, `bf16` → torch's dtype."""


@contextmanager
def exact_fp32() -> Iterator[None]:
    """Full float32 in convolutions and matrix products on CUDA while open (no TF32).

    cuDNN convolutions use TF32 by default, which is worth three decimal digits.
    """
    matmul: Any = torch.backends.cuda.matmul
    conv: Any = torch.backends.cudnn
    before = matmul.allow_tf32, conv.allow_tf32
    matmul.allow_tf32 = conv.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, conv.allow_tf32 = before


def widened(tensor: Tensor) -> Tensor:
    """Floating-point tensors in float32; the others as they are."""
    return tensor.float() if tensor.is_floating_point() else tensor


def round_layers(networks: nn.Module, dtype: torch.dtype) -> list[RemovableHandle]:
    """From now on, what enters and leaves each layer is rounded to `dtype`, computed in its own.

    A layer is a module without children. With float32 layers of weights that `dtype` can hold, this
    is what rounding alone does to a network, whatever kernels it will run on.

    Returns:
        Handles whose `remove` undoes it.
    """

    def on_the_way_in(_layer: nn.Module, inputs: tuple[Any, ...]) -> Any:
        return _rounded(inputs, dtype)

    def on_the_way_out(_layer: nn.Module, _inputs: tuple[Any, ...], output: Any) -> Any:
        return _rounded(output, dtype)

    layers = [layer for layer in networks.modules() if not [*layer.children()]]
    hooks = [layer.register_forward_pre_hook(on_the_way_in) for layer in layers]
    return hooks + [layer.register_forward_hook(on_the_way_out) for layer in layers]


@contextmanager
def rounded_layers(networks: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """`round_layers` while open."""
    handles = round_layers(networks, dtype)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def overflow(what: str, dtype: torch.dtype) -> EngineError:
    """The error to raise where networks of a dtype gave what is not finite.

    fp16 ends at 65,504; bf16 reaches as far as fp32.
    """
    name = next(name for name, own in DTYPES.items() if own == dtype)
    if dtype == torch.float16:
        return NumericOverflowError(f"{what} in {name}; try bf16 or fp32", {"dtype": "bf16"})
    return EngineError(f"{what} in {name}; try fp32, or look at the weights")


def _rounded(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(dtype).to(value.dtype)
    if isinstance(value, tuple):
        return tuple(_rounded(part, dtype) for part in value)
    return value
