"""Torch network → ONNX file: dtypes as the network has them, dynamic batch, external weights."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engines.trt.errors import PlanBuildError
from engines.trt.network import GRAPH_FILE, NetworkPorts

EXPORTED_AT_BATCH = 2
"""Batch of the example; 1 would be taken for a constant by the exporter."""
LARGEST_BATCH = 63
"""For the tracer only, the graph takes any: diffusers' upsampling goes another way from 64 rows on,
and a wider range would be traced twice, the second time narrowed to this one."""


def export_graph(
    ports: NetworkPorts,
    module: nn.Module,
    sample: Mapping[str, Tensor],
    folder: Path,
    *,
    opset: int,
) -> Path:
    """Write `model.onnx` and its external weights into a folder.

    Args:
        module: takes `ports.inputs` and gives `ports.outputs`, tensors all; its dtypes become the
            graph's.
        sample: inputs by name at batch 2 or more.
    Raises:
        PlanBuildError: the exporter's reason, in one line.
    """
    batch = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
    values = tuple(sample[name] for name in ports.inputs)
    shapes = tuple({0: batch} if value.ndim else None for value in values)
    path = folder / GRAPH_FILE
    try:
        with _quiet(), torch.no_grad():
            program: Any = torch.onnx.export(
                module,
                values,
                dynamo=True,
                opset_version=opset,
                input_names=list(ports.inputs),
                output_names=list(ports.outputs),
                dynamic_shapes=_like_signature(ports, shapes),
                verbose=False,
            )
            _forget_sources(program.model)
            program.save(str(path), external_data=True)
    except (RuntimeError, ValueError, TypeError) as error:
        reason = next((ln.strip() for ln in str(error).splitlines() if ln.strip()), "no reason")
        raise PlanBuildError(f"export of the {ports.name} at opset {opset}: {reason}") from error
    return path


def _like_signature(ports: NetworkPorts, shapes: tuple[Any, ...]) -> tuple[Any, ...]:
    """Nest the shapes as the module's arguments: `*arguments` are one argument of many tensors."""
    first = ports.variadic_from
    return shapes if first is None else (*shapes[:first], shapes[first:])


def _forget_sources(model: Any) -> None:
    """Drop per-node notes: they hold this machine's paths, and make equal graphs differ."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.meta.clear()
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.metadata_props.clear()
    model.metadata_props.clear()
    model.graph.metadata_props.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's deprecation notes and advice: nothing a user can act on."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
