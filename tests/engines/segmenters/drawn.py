"""A small .tflite with the ports of MediaPipe's multiclass segmenter; a formula answers."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tflite
from numpy.typing import NDArray

CLASSES = 6


def write_network(
    path: Path, weights: NDArray[np.floating], bias: NDArray[np.floating], side: int = 256
) -> Path:
    """One convolution of one pixel: logits = weights `(classes, 3)` · RGB 0…1 + bias."""
    classes = len(bias)
    model = tflite.ModelT()
    model.version = 3
    model.buffers = [tflite.BufferT(), _buffer(weights), _buffer(bias)]
    model.operatorCodes = [_convolution()]
    graph = tflite.SubGraphT()
    graph.tensors = [
        _tensor("input_29", (1, side, side, 3), 0),
        _tensor("weights", (classes, 1, 1, 3), 1),
        _tensor("bias", (classes,), 2),
        _tensor("Identity", (1, side, side, classes), 0),
    ]
    graph.inputs, graph.outputs = [0], [3]
    graph.operators = [_step()]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def things_are_dark(path: Path, below: float) -> Path:
    """Pixels whose mean is under `below` (0…1) are `others`, all else is a face's skin."""
    weights, bias = np.zeros((CLASSES, 3)), np.full(CLASSES, -50.0)
    weights[5], bias[5], bias[3] = -100.0, 300.0 * below, 0.0
    return write_network(path, weights, bias)


def _buffer(values: NDArray[np.floating]) -> tflite.BufferT:
    made = tflite.BufferT()
    made.data = np.frombuffer(np.ascontiguousarray(values, np.float32).tobytes(), np.uint8)
    return made


def _convolution() -> tflite.OperatorCodeT:
    code = tflite.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = tflite.BuiltinOperator.CONV_2D
    code.version = 1
    return code


def _tensor(name: str, shape: tuple[int, ...], buffer: int) -> tflite.TensorT:
    made = tflite.TensorT()
    made.name, made.shape, made.buffer = name, np.array(shape, np.int32), buffer
    made.type = tflite.TensorType.FLOAT32
    return made


def _step() -> tflite.OperatorT:
    step = tflite.OperatorT()
    step.opcodeIndex = 0
    step.inputs, step.outputs = np.array([0, 1, 2], np.int32), np.array([3], np.int32)
    step.builtinOptionsType = tflite.BuiltinOptions.Conv2DOptions
    options = tflite.Conv2DOptionsT()
    options.strideW = options.strideH = 1
    step.builtinOptions = options
    return step
