"""A plan run on torch tensors: their memory is bound as it is, nothing passes through the host.

With CUDA graphs (for a network that runs again and again) a batch size has fixed buffers: small
inputs are copied into them, steady ones only when they are other tensors than last time. Without
graphs (one call per frame batch) the caller's tensors are bound themselves.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engines.errors import EngineError
from engines.trt.activations import ActivationMemory, user_managed
from engines.trt.binding import Binding
from engines.trt.errors import PlanBuildError
from engines.trt.rows import repeated_to

TENSOR_TYPES = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "BF16": torch.bfloat16,
    "INT64": torch.int64,
    "INT32": torch.int32,
}
OUT_OF_MEMORY = re.compile(
    r"out.?of.?memory|cudaErrorMemoryAllocation|alloc\w* fail", re.IGNORECASE
)
"""As TensorRT's log says it; the API itself only tells that something failed."""
LAST_LINES = 3
BATCH_SIZES_KEPT = 4
"""Batch sizes whose buffers and CUDA graph are kept; a shot needs one or two."""


@dataclass(frozen=True)
class Port:
    """One input or output: its dtype and its shape, -1 where the batch goes."""

    name: str
    is_input: bool
    dtype: torch.dtype
    shape: tuple[int, ...]

    def at(self, batch: int) -> tuple[int, ...]:
        """The shape at a batch size."""
        return tuple(batch if n == -1 else n for n in self.shape)


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
        self._binding = binding
        self._device = torch.device(device)
        self._log = binding.log()
        self._what = f"{binding.label}, {plan_path.parent.name}"
        self._graphs = cuda_graphs
        self._steady = frozenset(steady)
        self._cache_path = runtime_cache
        self._runtime_cache: Any = None
        self._memory = memory if user_managed(binding.trt) is not None else None
        with self._on_device():
            self._runtime = self._new_runtime()
            self._cuda_engine = self._runtime.deserialize_cuda_engine(plan_path.read_bytes())
            if self._cuda_engine is None:
                raise self._failure(
                    f"{binding.label} cannot load {plan_path}: {self._log.reason()}; "
                    "rebuild it here with jobs/build_engines.py",
                    PlanBuildError,
                )
            self._context = None if cuda_graphs else self._new_context()
        self.ports = tuple(self._port(i) for i in range(self._cuda_engine.num_io_tensors))
        self.batches = self._batches()
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
        """Keep what TensorRT-RTX compiled for this GPU; nothing to do for classic TensorRT."""
        if self._runtime_cache is None or self._cache_path is None:
            return
        with self._on_device():
            blob = self._runtime_cache.serialize()
        if blob is None:
            return
        unfinished = self._cache_path.with_suffix(f".tmp-{uuid.uuid4().hex}")
        with contextlib.suppress(OSError):  # a read-only store only costs time at the next start
            unfinished.write_bytes(memoryview(blob))
            unfinished.replace(self._cache_path)

    def _run(self, batch: int, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        bound = {
            p.name: repeated_to(inputs[p.name].to(self._device), p.at(batch)).contiguous()
            for p in self._inputs
        }
        outputs = {p.name: self._empty(p, batch) for p in self._outputs}
        self._bind(self._context, batch, {**bound, **outputs})
        self._lend(self._context)
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
        block = self._lend(buffers.context)
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
        if self._binding.is_rtx or not self._on_gpu:
            return
        graph = torch.cuda.CUDAGraph()
        # thread_local: what another thread of this process does to the GPU must not end the capture
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            self._execute(buffers.context)
        buffers.graph = graph

    def _bind(self, context: Any, batch: int, tensors: Mapping[str, Tensor]) -> None:
        for port in self.ports:
            if port.is_input and not context.set_input_shape(port.name, port.at(batch)):
                raise EngineError(f"{self._what}, {port.name}: {self._log.reason()}")
            context.set_tensor_address(port.name, tensors[port.name].data_ptr())

    def _lend(self, context: Any) -> Tensor | None:
        """Gives a context the shared memory for its next run."""
        if self._memory is None:
            return None
        size = int(self._cuda_engine.device_memory_size_v2)
        block = self._memory.block(size)
        context.set_device_memory(block.data_ptr(), block.numel())
        return block

    def _execute(self, context: Any) -> None:
        handle = 0 if self._stream is None else self._stream.cuda_stream
        if not context.execute_async_v3(handle):
            raise self._failure(f"{self._what}: the run failed: {self._log.reason()}", EngineError)

    def _new_buffers(self, batch: int) -> _Buffers:
        while len(self._buffers) >= BATCH_SIZES_KEPT:
            del self._buffers[next(iter(self._buffers))]
        tensors = {p.name: self._empty(p, batch) for p in self.ports}
        buffers = _Buffers(self._new_context(), tensors)
        self._bind(buffers.context, batch, tensors)
        self._buffers[batch] = buffers
        return buffers

    def _new_runtime(self) -> Any:
        try:
            runtime = self._binding.trt.Runtime(self._log)
        except TypeError:  # pybind11: the factory gave a null pointer
            runtime = None
        if runtime is None:
            raise PlanBuildError(
                f"{self._binding.label} has no runtime here: {self._log.reason()}; check the GPU's "
                "driver, or use backend=compile"
            )
        return runtime

    def _failure(self, line: str, kind: type[EngineError]) -> Exception:
        """The error to raise; torch's own where memory ran out, so that batches are halved."""
        if OUT_OF_MEMORY.search(self._log.reason(LAST_LINES)):
            return torch.OutOfMemoryError(line)
        return kind(line)

    def _new_context(self) -> Any:
        config = self._rtx_config() if self._binding.is_rtx else None
        if self._memory is not None:
            config = config or self._cuda_engine.create_runtime_config()
            config.set_execution_context_allocation_strategy(user_managed(self._binding.trt))
        context = self._cuda_engine.create_execution_context(*([config] if config else []))
        if context is None:
            raise self._failure(
                f"{self._what}: no execution context: {self._log.reason()}; "
                "free GPU memory or build for smaller batches",
                PlanBuildError,
            )
        return context

    def _rtx_config(self) -> Any:
        config = self._cuda_engine.create_runtime_config()
        if self._runtime_cache is None:
            self._runtime_cache = config.create_runtime_cache()
            if self._cache_path is not None and self._cache_path.is_file():
                self._runtime_cache.deserialize(self._cache_path.read_bytes())
        config.set_runtime_cache(self._runtime_cache)
        if self._graphs:
            strategy = self._binding.trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            config.cuda_graph_strategy = strategy
        # By default kernels for a shape are compiled in the background and swapped in when ready: a
        # frame's bytes would depend on when it came, and the saved cache would lack them.
        kernels = self._binding.trt.DynamicShapesKernelSpecializationStrategy
        config.dynamic_shapes_kernel_specialization_strategy = kernels.EAGER
        return config

    def _port(self, index: int) -> Port:
        name = self._cuda_engine.get_tensor_name(index)
        mode = self._cuda_engine.get_tensor_mode(name)
        dtype = str(self._cuda_engine.get_tensor_dtype(name).name)
        shape = tuple(self._cuda_engine.get_tensor_shape(name))
        return Port(name, mode == self._binding.trt.TensorIOMode.INPUT, TENSOR_TYPES[dtype], shape)

    def _batches(self) -> tuple[int, int]:
        dynamic = next(p for p in self._inputs if -1 in p.shape)
        least, _, most = self._cuda_engine.get_tensor_profile_shape(dynamic.name, 0)
        return int(next(iter(least))), int(next(iter(most)))

    def _checked_batch(self, inputs: Mapping[str, Tensor]) -> int:
        batch = max(inputs[p.name].shape[0] for p in self._inputs if -1 in p.shape)
        least, most = self.batches
        if not least <= batch <= most:
            raise EngineError(
                f"{self._what}: got a batch of {batch}; it was built for {least}..{most}; "
                "rebuild with a wider --batch"
            )
        for port in self._inputs:
            given = inputs[port.name]
            wanted = port.at(batch)
            if port.name in self._steady and given.ndim and batch % given.shape[0] == 0:
                wanted = (given.shape[0], *wanted[1:])
            if given.dtype != port.dtype or tuple(given.shape) != wanted:
                raise EngineError(
                    f"{self._what}, input {port.name}: got {given.dtype} {tuple(given.shape)}; "
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
