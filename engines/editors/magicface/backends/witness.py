"""Proof of a graph: onnxruntime runs the file, torch gives the reference, the sample is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engines.editors.magicface.backends.adapters import Session
from engines.editors.magicface.backends.components import repeat_rows
from engines.editors.magicface.backends.ports import GRAPH_FILE, SAMPLE_FILE
from engines.trt.onnx_session import OnnxSession
from engines.trt.parity import Parity, check, reference_outputs


def prove_graph(
    component: str, module: nn.Module, sample: Mapping[str, Tensor], folder: Path, dtype: str
) -> Parity:
    """Run a folder's graph beside torch and keep the sample beside the graph.

    onnxruntime computes fp16 and fp32 on a CPU but hardly anything in bf16; a bf16 graph is proved
    by a copy whose every bf16 became fp32, within fp32's tolerance.

    Raises:
        ParityError: further from torch than the dtype's tolerance.
    """
    reference = reference_outputs(component, module, sample)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.widened") as spare:
        path, inputs, judged_as = folder / GRAPH_FILE, dict(sample), dtype
        if dtype == "bf16":
            path, judged_as = widen_graph(path, Path(spare)), "fp32"
            inputs = {n: t.float() if t.is_floating_point() else t for n, t in sample.items()}
        session = OnnxSession(path)
        against = f"onnxruntime {session.version}" + (" in fp32" if judged_as != dtype else "")
        parity = check(
            component, session, against, inputs=inputs, reference=reference, dtype=judged_as
        )
    write_sample(folder / SAMPLE_FILE, sample, reference)
    return parity


def write_sample(path: Path, inputs: Mapping[str, Tensor], reference: Mapping[str, Tensor]) -> None:
    """Store inputs and torch's outputs, as `in.NAME` and `out.NAME`."""
    tensors = {f"in.{n}": t for n, t in inputs.items()} | {
        f"out.{n}": t for n, t in reference.items()
    }
    save_file({n: t.detach().cpu().contiguous().clone() for n, t in tensors.items()}, path)


def check_sample(
    component: str,
    session: Session,
    against: str,
    path: Path,
    *,
    dtype: str,
    device: str = "cpu",
    rows: int = 1,
    calls: int = 1,
) -> Parity:
    """The golden comparison: a session's outputs for the stored inputs, beside the stored ones.

    Args:
        rows: batch to run at; the stored row is repeated, and every row must agree.
        calls: how often it is run; the last answer is compared.
    Raises:
        ParityError: further from torch than the dtype's tolerance.
    """
    stored = repeat_rows(load_file(path), rows)
    inputs = {n[3:]: t.to(device) for n, t in stored.items() if n.startswith("in.")}
    reference = {n[4:]: t for n, t in stored.items() if n.startswith("out.")}
    for _ in range(calls - 1):
        session(inputs)
    return check(component, session, against, inputs=inputs, reference=reference, dtype=dtype)


def widen_graph(path: Path, folder: Path) -> Path:
    """A copy of a graph in which every bf16 value is fp32, weights and all."""
    import onnx

    model: Any = onnx.load(str(path))
    bf16, fp32 = onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT
    _widen_tensors(model.graph.initializer)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _widen_tensors([attribute.t])
            elif attribute.i == bf16 and attribute.name in {"to", "dtype", "output_dtype"}:
                attribute.i = fp32
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if value.type.tensor_type.elem_type == bf16:
            value.type.tensor_type.elem_type = fp32
    widened = folder / GRAPH_FILE
    onnx.save(model, str(widened), save_as_external_data=True, location=f"{GRAPH_FILE}.data")
    return widened


def _widen_tensors(tensors: Any) -> None:
    import onnx

    for tensor in tensors:
        if tensor.data_type != onnx.TensorProto.BFLOAT16:
            continue
        values = onnx.numpy_helper.to_array(tensor).astype("float32")
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
