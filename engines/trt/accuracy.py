"""The accuracy gate: what a graph or a plan computes, beside torch, before anybody relies on it.

The reference is torch in fp32 with the weights as the graph has them (rounded to its dtype), so
the gate measures the export and the arithmetic, not the choice of dtype.

In half precision no fixed bound is any good: of two sets of weights one amplifies the same rounding
forty times as much as the other. A network's bound is therefore what rounding alone does to its
worst output: every layer's input and output rounded, computed in fp32, times a factor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engines.devices.precision import DTYPES, exact_fp32, rounded_layers, widened
from engines.trt.errors import AccuracyError
from engines.trt.network import NetworkPorts, Session

FP32_BOUND = 5e-5
"""Largest error in fp32, relative to the reference's own largest value (per output); measured:
2e-6. It is also the least bound in half precision."""
ROUNDING_FACTOR = 4.0
"""Bound in half precision = this × what simulated rounding does. What torch's half precision gave
was 0.9 to 3.5 times that (20 seeded sets of networks, fp16 and bf16, on a CPU)."""


@dataclass(frozen=True)
class Accuracy:
    """How far a session is from torch.

    Attributes:
        error: |a − b| / max|b| at its largest, of the worst output.
        output: the name of that output.
        bound: the largest error allowed.
    """

    component: str
    against: str
    error: float
    output: str
    bound: float

    @property
    def holds(self) -> bool:
        """Within the bound; a NaN never is."""
        return self.error <= self.bound

    def __str__(self) -> str:
        sign = "≤" if self.holds else "exceeds"
        return (
            f"{self.component} {self.against}: {self.error:.1e} at {self.output}, "
            f"{sign} {self.bound:.1e}"
        )


def reference_outputs(
    ports: NetworkPorts, module: nn.Module, inputs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """What torch gives in fp32 for inputs of the graph's dtype.

    Args:
        module: flat, in the graph's dtype; called with an fp32 copy of its weights.
    """
    state = {name: widened(t) for name, t in (*module.named_parameters(), *module.named_buffers())}
    values = tuple(widened(inputs[name]) for name in ports.inputs)
    with torch.no_grad(), exact_fp32():
        given = torch.func.functional_call(module, state, values)
    outputs = given if isinstance(given, tuple) else (given,)
    return dict(zip(ports.outputs, outputs, strict=True))


def rounding_bound(
    ports: NetworkPorts,
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    dtype: str,
) -> float:
    """The largest error allowed in `dtype`, from one more run with every layer rounded.

    Args:
        module, inputs: as for `reference_outputs`, which gave `reference`.
    Raises:
        AccuracyError: rounding alone makes the network overflow; with what to do.
    """
    if dtype == "fp32":
        return FP32_BOUND
    with rounded_layers(module, DTYPES[dtype]):
        rounded = reference_outputs(ports, module, inputs)
    leaving = {name: tensor.to(DTYPES[dtype]) for name, tensor in rounded.items()}
    moved = worst_error(leaving, reference)
    if not math.isfinite(moved[1]):
        raise AccuracyError(
            f"{ports.name} in {dtype}: {moved[0]} overflows by rounding alone; take bf16"
        )
    return max(FP32_BOUND, ROUNDING_FACTOR * moved[1])


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """Largest |found − wanted| over the largest |wanted|; of two zeros, 0."""
    exact = wanted.float().cpu()
    apart, peak = float((found.float().cpu() - exact).abs().max()), float(exact.abs().max())
    return apart / peak if peak else apart


def worst_error(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> tuple[str, float]:
    """The output with the largest relative error, and that error; NaN is the largest."""
    errors = {name: relative_error(found[name], exact) for name, exact in wanted.items()}
    worst = max(errors, key=lambda name: (math.isnan(errors[name]), errors[name]))
    return worst, errors[worst]


def compare(
    component: str,
    against: str,
    found: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    bound: float,
) -> Accuracy:
    """How far what a session gave is from the reference."""
    output, error = worst_error(found, reference)
    return Accuracy(component, against, error, output, bound)


def check(
    component: str,
    session: Session,
    against: str,
    *,
    inputs: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    bound: float,
) -> Accuracy:
    """Run a session and compare it.

    Raises:
        AccuracyError: further from torch than the bound.
    """
    accuracy = compare(component, against, session(inputs), reference, bound)
    if not accuracy.holds:
        raise AccuracyError(f"accuracy gate: {accuracy}; it is not used")
    return accuracy
