"""Packs both judges: python docs/evaluation/pack_judges.py FOLDER

FOLDER holds face_identity.onnx and face_expression.onnx, rebuilt from npm `@vladmandic/face-api`
1.7.15 (8-bit weights, widened). Every padding and kernel size is written out, since OpenCV 5
computes `auto_pad` wrong and 4.10 needs `kernel_shape`; weights stay as they are. Needs `onnx`.
"""

from __future__ import annotations

import lzma
import sys
from pathlib import Path
from typing import Any

import onnx
from onnx import helper, shape_inference

MODELS = Path(__file__).resolve().parents[2] / "engines" / "models"
HARDEST = 9 | lzma.PRESET_EXTREME


def explicit(path: Path, outputs: int) -> bytes:
    """The network with a batch of 1, a shaped output, and explicit kernels and paddings."""
    model = onnx.load(path)
    graph = model.graph
    graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph.output[0].type.CopyFrom(
        helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [1, outputs])
    )
    shaped = shape_inference.infer_shapes(model).graph
    sizes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim][2:]
        for v in (*shaped.value_info, *shaped.input)
    }
    kernels = {i.name: list(i.dims)[2:] for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv":
            _write_out(node, sizes[node.input[0]], kernels[node.input[1]])
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _write_out(node: Any, size: list[int], kernel: list[int]) -> None:
    known = {a.name: a for a in node.attribute}
    if "kernel_shape" not in known:
        node.attribute.append(helper.make_attribute("kernel_shape", kernel))
    if "auto_pad" not in known:
        return
    total = [0, 0]
    if known["auto_pad"].s == b"SAME_UPPER":
        steps = zip(size, known["strides"].ints, kernel, strict=True)
        total = [max((-(-n // step) - 1) * step + k - n, 0) for n, step, k in steps]
    low = [t // 2 for t in total]
    high = [t - at for t, at in zip(total, low, strict=True)]
    node.attribute.remove(known["auto_pad"])
    node.attribute.append(helper.make_attribute("pads", low + high))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (MODELS / "face_expression.onnx").write_bytes(explicit(folder / "face_expression.onnx", 7))
    packed = lzma.compress(explicit(folder / "face_identity.onnx", 128), preset=HARDEST)
    (MODELS / "face_identity.onnx.xz").write_bytes(packed)
