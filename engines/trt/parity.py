"""The parity gate: what a graph or an engine computes, beside torch, before anybody relies on it.

The reference is torch in fp32 with the weights as the graph has them (rounded to its dtype), so
the gate measures the export and the arithmetic, not the choice of dtype.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engines.editors.magicface.backends.adapters import Session
from engines.editors.magicface.backends.ports import INPUTS, OUTPUTS
from engines.editors.magicface.model.torch_networks import exact_fp32
from engines.trt.errors import ParityError

TOLERANCE = {"fp32": 5e-5, "fp16": 5e-3, "bf16": 4e-2}
"""Largest error allowed, relative to the reference's own largest value (per output tensor), which
is about 4 standard deviations. fp16 and bf16 round by 5e-4 and 4e-3 in every one of some hundred
layers; measured: 2e-6 (fp32) and 1…3e-3 (fp16) on the small network."""


@dataclass(frozen=True)
class Parity:
    """How far a session is from torch.

    Attributes:
        error: the largest |a − b| / max|b| over the outputs.
        output: the name of the worst output.
    """

    component: str
    against: str
    error: float
    output: str
    tolerance: float

    @property
    def holds(self) -> bool:
        """Within the tolerance; a NaN never is."""
        return self.error <= self.tolerance

    def __str__(self) -> str:
        sign = "≤" if self.holds else "exceeds"
        return (
            f"{self.component} {self.against}: {self.error:.1e} at {self.output}, "
            f"{sign} {self.tolerance:.0e}"
        )


def reference_outputs(
    component: str, module: nn.Module, inputs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """What torch gives in fp32 for inputs of the graph's dtype.

    Args:
        module: flat, in the graph's dtype; called with an fp32 copy of its weights.
    """
    state = {name: _widened(t) for name, t in (*module.named_parameters(), *module.named_buffers())}
    values = tuple(_widened(inputs[name]) for name in INPUTS[component])
    with torch.no_grad(), exact_fp32():
        given = torch.func.functional_call(module, state, values)
    outputs = given if isinstance(given, tuple) else (given,)
    return dict(zip(OUTPUTS[component], outputs, strict=True))


def _widened(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def compare(
    component: str,
    against: str,
    found: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    *,
    dtype: str,
) -> Parity:
    """The worst relative error over the outputs."""
    errors = {name: _relative(found[name], wanted) for name, wanted in reference.items()}
    worst = max(errors, key=lambda name: (errors[name] != errors[name], errors[name]))
    return Parity(component, against, errors[worst], worst, TOLERANCE[dtype])


def _relative(found: Tensor, wanted: Tensor) -> float:
    exact = wanted.float().cpu()
    return float((found.float().cpu() - exact).abs().max() / exact.abs().max())


def check(
    component: str,
    session: Session,
    against: str,
    *,
    inputs: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    dtype: str,
) -> Parity:
    """Run a session and compare it.

    Raises:
        ParityError: further from torch than the dtype's tolerance.
    """
    parity = compare(component, against, session(inputs), reference, dtype=dtype)
    if not parity.holds:
        raise ParityError(f"parity gate: {parity}; the engine is not used")
    return parity
