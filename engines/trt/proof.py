"""Proof of a graph: onnxruntime runs the file, torch gives the reference, the sample is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engines.trt.accuracy import (
    FP32_BOUND,
    Accuracy,
    check,
    reference_outputs,
    rounding_bound,
)
from engines.trt.network import GRAPH_FILE, NetworkPorts, Session
from engines.trt.onnx_session import OnnxSession
from engines.trt.rows import repeat_rows


@dataclass(frozen=True)
class GoldenSample:
    """One row of inputs, what torch in fp32 gives for it, and the largest error allowed.

    Attributes:
        inputs: in the graph's dtype, `(1, …)` or scalar.
        outputs: float32, `(1, …)`.
        bound: as `accuracy.compare` takes it.
    """

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    bound: float

    def write(self, path: Path) -> None:
        """Store it as `in.NAME`, `out.NAME` and `bound`."""
        tensors = {f"in.{n}": t for n, t in self.inputs.items()}
        tensors |= {f"out.{n}": t for n, t in self.outputs.items()}
        tensors["bound"] = torch.tensor(self.bound, dtype=torch.float64)
        save_file({n: t.detach().cpu().contiguous().clone() for n, t in tensors.items()}, path)

    @classmethod
    def read(cls, path: Path) -> GoldenSample:
        """What `write` stored."""
        stored = load_file(path)

        def those(prefix: str) -> dict[str, Tensor]:
            return {n[len(prefix) :]: t for n, t in stored.items() if n.startswith(prefix)}

        return cls(those("in."), those("out."), float(stored["bound"]))

    @classmethod
    def of(
        cls, ports: NetworkPorts, module: nn.Module, inputs: Mapping[str, Tensor], dtype: str
    ) -> GoldenSample:
        """Compute it, where the module is.

        Args:
            module: flat, in `dtype`.
        """
        outputs = reference_outputs(ports, module, inputs)
        return cls(inputs, outputs, rounding_bound(ports, module, inputs, outputs, dtype))


def prove_graph(ports: NetworkPorts, sample: GoldenSample, folder: Path, dtype: str) -> Accuracy:
    """Run a folder's graph on a CPU beside what torch gave.

    onnxruntime computes fp16 and fp32 on a CPU but hardly anything in bf16; a bf16 graph is proved
    by a copy whose every bf16 became fp32, within fp32's bound.

    Raises:
        AccuracyError: further from torch than rounding explains.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.widened") as spare:
        path, inputs, bound = folder / GRAPH_FILE, dict(sample.inputs), sample.bound
        if dtype == "bf16":
            path, bound = widen_graph(path, Path(spare)), FP32_BOUND
            inputs = {n: t.float() if t.is_floating_point() else t for n, t in inputs.items()}
        session = OnnxSession(path)
        against = f"onnxruntime {session.version}" + (" in fp32" if dtype == "bf16" else "")
        return check(
            ports.name,
            session,
            against,
            inputs={n: t.cpu() for n, t in inputs.items()},
            reference=sample.outputs,
            bound=bound,
        )


def check_sample(
    component: str,
    session: Session,
    against: str,
    path: Path,
    *,
    device: str = "cpu",
    rows: int = 1,
    calls: int = 1,
) -> Accuracy:
    """The golden comparison: a session's outputs for the stored inputs, beside the stored ones.

    Args:
        rows: batch to run at; the stored row is repeated, and every row must agree.
        calls: how often it is run; the last answer is compared.
    Raises:
        AccuracyError: an output further from torch than the stored bound.
    """
    sample = GoldenSample.read(path)
    inputs = {n: t.to(device) for n, t in repeat_rows(sample.inputs, rows).items()}
    for _ in range(calls - 1):
        session(inputs)
    return check(
        component,
        session,
        against,
        inputs=inputs,
        reference=repeat_rows(sample.outputs, rows),
        bound=sample.bound,
    )


def widen_graph(path: Path, folder: Path, dtype: str = "bf16") -> Path:
    """A copy of a graph in which every value of a half precision is fp32, weights and all."""
    import onnx

    model: Any = onnx.load(str(path))
    kinds = onnx.TensorProto
    half, fp32 = {"bf16": kinds.BFLOAT16, "fp16": kinds.FLOAT16}[dtype], kinds.FLOAT
    _widen_tensors(model.graph.initializer, half)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _widen_tensors([attribute.t], half)
            elif attribute.i == half and attribute.name in {"to", "dtype", "output_dtype"}:
                attribute.i = fp32
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if value.type.tensor_type.elem_type == half:
            value.type.tensor_type.elem_type = fp32
    widened = folder / GRAPH_FILE
    onnx.save(model, str(widened), save_as_external_data=True, location=f"{GRAPH_FILE}.data")
    return widened


def _widen_tensors(tensors: Any, half: int) -> None:
    import onnx

    for tensor in tensors:
        if tensor.data_type != half:
            continue
        values = onnx.numpy_helper.to_array(tensor).astype("float32")
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
