"""What this room needs to know of a network: its name, and those of its inputs and outputs.

Imports nothing heavy: keys of the store are computed from these without torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

GRAPH_FILE = "model.onnx"
SAMPLE_FILE = "sample.safetensors"
"""Inputs of one row, what torch in fp32 gives for them, and how far a half-precision answer may lie
from that: the golden comparison of a graph or a plan, also where no torch network is loaded."""
PLAN_FILE = "network.plan"


@dataclass(frozen=True)
class NetworkPorts:
    """The names by which a graph knows a network's tensors.

    Attributes:
        name: of the network; it begins the names of its folders in the store.
        inputs: in the order of the torch module's arguments. All but scalars have the batch first.
        outputs: in the order the module gives them, the batch first.
        variadic_from: index of the first input that belongs to the module's `*arguments`; None
            where it has none.
        steady: inputs that a caller hands over again, as the very same tensors, from call to call.
            They may have a whole fraction of the batch's rows, which a session repeats in order.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    variadic_from: int | None = None
    steady: frozenset[str] = frozenset()


class Session(Protocol):
    """One network with named inputs and outputs: an ONNX graph or a TensorRT plan, loaded."""

    def __call__(self, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Run once. The outputs are the caller's: no later call writes into them."""
        ...
