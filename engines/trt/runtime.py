"""A plan run on torch tensors: their memory is bound as it is, nothing passes through the host.

With CUDA graphs (for a network that runs again and again) a batch size has fixed buffers: small
inputs are copied into them, steady ones only when they are other tensors than last time. Without
graphs (one call per frame batch) the caller's tensors are bound themselves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engines.errors import EngineError
from engines.trt.activations import ActivationMemory
from engines.trt.binding import Binding
from engines.trt.plan import LoadedPlan, Port
from engines.trt.rows import repeated_to

BATCH_SIZES_KEPT = 4
"""Batch sizes whose buffers and CUDA graph are kept; a shot needs one or two."""


@dataclass
class _Buffers:
    """What belongs to one batch size: fixed memory, what was last copied into it, its graph.

    It has an execution context of its own: a graph stays valid only while the shapes of the
    context it was recorded from stay.
    """

    context: Any
    tensors: dict[str, Tensor]
    copied: dict[str, Tensor] = field(default_factory=dict)
    graph: Any = None
    block: Tensor | None = None


class TrtSession:
    """A loaded plan; a `Session`. One thread at a time."""

    def __init__(
        self,
        binding: Binding,
        plan_path: Path,
        *,
        device: str = "cuda",
        cuda_graphs: bool = False,
        steady: Collection[str] = (),
        runtime_cache: Path | None = None,
        memory: ActivationMemory | None = None,
    ) -> None:
        """Load a plan.

        Args:
            cuda_graphs: replay one graph per batch size.
            steady: inputs that come as the very same tensors from call to call; with CUDA graphs
                they are copied once.
            runtime_cache: file with the kernels that TensorRT-RTX compiled here before; written by
                `save_runtime_cache`. It fits one RTX version, GPU and driver, and is ignored
                elsewhere.
            memory: for its activations, shared with plans that never run at the same time; None =
                its contexts have their own.
        Raises:
            PlanBuildError: the library refuses the plan; with the reason it logged.
        """
        self._device = torch.device(device)
        self._graphs = cuda_graphs
        self._steady = frozenset(steady)
        with self._on_device():
            self._plan = LoadedPlan(
                binding, plan_path, cuda_graphs=cuda_graphs, cache=runtime_cache, memory=memory
            )
            self._context = None if cuda_graphs else self._plan.new_context()
        self.ports, self.batches = self._plan.ports, self._plan.batches
        self._buffers: dict[int, _Buffers] = {}
        self._stream = torch.cuda.Stream(self._device) if self._on_gpu else None

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run once; outputs are new tensors on the plan's device.

        Steady inputs may have a whole fraction of the batch's rows; they are repeated in order.
        Those that are the same objects as in the last call of this batch size are taken to
        be unchanged.

        Raises:
            EngineError: a batch, shape or dtype the plan was not built for; a failed run.
        """
        batch = self._checked_batch(inputs)
        with self._on_device(), self._on_stream():
            outputs = self._replay(batch, inputs) if self._graphs else self._run(batch, inputs)
        if self._on_gpu:  # made on the plan's stream, about to be used on the caller's
            for tensor in outputs.values():
                tensor.record_stream(torch.cuda.current_stream(self._device))
        return outputs

    def forget(self) -> None:
        """Let go of the buffers and graphs of all batch sizes seen so far."""
        self._buffers.clear()

    def save_runtime_cache(self) -> None:
        """As of LoadedPlan."""
        with self._on_device():
            self._plan.save_runtime_cache()

    def _run(self, batch: int, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        bound = {
            p.name: repeated_to(inputs[p.name].to(self._device), p.at(batch)).contiguous()
            for p in self._inputs
        }
        outputs = {p.name: self._empty(p, batch) for p in self._outputs}
        self._bind(self._context, batch, {**bound, **outputs})
        self._plan.lend(self._context)
        self._execute(self._context)
        return outputs

    def _replay(self, batch: int, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        buffers = self._buffers.get(batch) or self._new_buffers(batch)
        for port in self._inputs:
            given = inputs[port.name]
            if buffers.copied.get(port.name) is given:
                continue
            _fill(buffers.tensors[port.name], given)
            if port.name in self._steady:
                buffers.copied[port.name] = given
        block = self._plan.lend(buffers.context)
        if block is not buffers.block:  # a graph knows the addresses it was recorded with
            buffers.block, buffers.graph = block, None
        if buffers.graph is None:
            self._execute(buffers.context)
            self._capture(buffers)
        else:
            buffers.graph.replay()
        return {p.name: buffers.tensors[p.name].clone() for p in self._outputs}

    def _capture(self, buffers: _Buffers) -> None:
        """Record the run just made; TensorRT-RTX does so by itself, inside the execution."""
        if self._plan.binding.is_rtx or not self._on_gpu:
            return
        graph = torch.cuda.CUDAGraph()
        # thread_local: what another thread of this process does to the GPU must not end the capture
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            self._execute(buffers.context)
        buffers.graph = graph

    def _bind(self, context: Any, batch: int, tensors: Mapping[str, Tensor]) -> None:
        for port in self.ports:
            if port.is_input and not context.set_input_shape(port.name, port.at(batch)):
                raise EngineError(f"{self._plan.what}, {port.name}: {self._plan.log.reason()}")
            context.set_tensor_address(port.name, tensors[port.name].data_ptr())

    def _execute(self, context: Any) -> None:
        handle = 0 if self._stream is None else self._stream.cuda_stream
        if not context.execute_async_v3(handle):
            reason = self._plan.log.reason()
            raise self._plan.failure(f"{self._plan.what}: the run failed: {reason}", EngineError)

    def _new_buffers(self, batch: int) -> _Buffers:
        while len(self._buffers) >= BATCH_SIZES_KEPT:
            del self._buffers[next(iter(self._buffers))]
        tensors = {p.name: self._empty(p, batch) for p in self.ports}
        buffers = _Buffers(self._plan.new_context(), tensors)
        self._bind(buffers.context, batch, tensors)
        self._buffers[batch] = buffers
        return buffers

    def _checked_batch(self, inputs: Mapping[str, Tensor]) -> int:
        batch = max(inputs[p.name].shape[0] for p in self._inputs if -1 in p.shape)
        least, most = self.batches
        if not least <= batch <= most:
            raise EngineError(
                f"{self._plan.what}: got a batch of {batch}; it was built for {least}..{most}; "
                "rebuild with a wider --batch"
            )
        for port in self._inputs:
            given = inputs[port.name]
            wanted = port.at(batch)
            if port.name in self._steady and given.ndim and batch % given.shape[0] == 0:
                wanted = (given.shape[0], *wanted[1:])
            if given.dtype != port.dtype or tuple(given.shape) != wanted:
                raise EngineError(
                    f"{self._plan.what}, input {port.name}: got {given.dtype} "
                    f"{tuple(given.shape)}; "
                    f"expected {port.dtype} {port.at(batch)}"
                )
        return batch

    def _empty(self, port: Port, batch: int) -> Tensor:
        return torch.empty(port.at(batch), dtype=port.dtype, device=self._device)

    @property
    def _inputs(self) -> list[Port]:
        return [p for p in self.ports if p.is_input]

    @property
    def _outputs(self) -> list[Port]:
        return [p for p in self.ports if not p.is_input]

    @property
    def _on_gpu(self) -> bool:
        return self._device.type == "cuda"

    def _on_device(self) -> contextlib.AbstractContextManager[Any]:
        """TensorRT works on the current GPU, which need not be this plan's."""
        return torch.cuda.device(self._device) if self._on_gpu else contextlib.nullcontext()

    @contextlib.contextmanager
    def _on_stream(self) -> Iterator[None]:
        """Work on the plan's own stream, ordered after and before the caller's: on the default
        stream TensorRT would synchronise the whole device."""
        if self._stream is None:
            yield
            return
        outer = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(outer)
        with torch.cuda.stream(self._stream):
            yield
        outer.wait_stream(self._stream)


def _fill(place: Tensor, given: Tensor) -> None:
    """Copy rows into fixed memory, again and again until it is full; nothing is made between."""
    if given.ndim and given.shape[0] != place.shape[0]:
        place = place.unflatten(0, (-1, given.shape[0]))
    place.copy_(given, non_blocking=True)
