"""A plan as its library loaded it: ports, execution contexts, and what they share.

Everything here works on the current GPU, which whoever runs the plan has made current.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engines.errors import EngineError
from engines.trt.activations import ActivationMemory, user_managed
from engines.trt.binding import Binding
from engines.trt.errors import PlanBuildError

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


class LoadedPlan:
    """A plan and its runtime; makes execution contexts.

    Args:
        cuda_graphs: TensorRT-RTX records and replays its runs by itself.
        cache: file with the kernels that TensorRT-RTX compiled here before.
        memory: for activations, shared with other plans; None = each context has its own.
    Attributes:
        what: the library and the plan, for messages.
        ports, batches: inputs and outputs, and the least and most rows it was built for.
    Raises:
        PlanBuildError: the library refuses the plan; with the reason it logged.
    """

    def __init__(
        self,
        binding: Binding,
        path: Path,
        *,
        cuda_graphs: bool,
        cache: Path | None,
        memory: ActivationMemory | None,
    ) -> None:
        self.binding, self.log = binding, binding.log()
        self.what = f"{binding.label}, {path.parent.name}"
        self._cuda_graphs = cuda_graphs
        self._cache_path = cache
        self._runtime_cache: Any = None
        self._memory = memory if user_managed(binding.trt) is not None else None
        self._runtime = self._new_runtime()
        self._cuda_engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._cuda_engine is None:
            raise self.failure(
                f"{binding.label} cannot load {path}: {self.log.reason()}; "
                "rebuild it here with jobs/build_engines.py",
                PlanBuildError,
            )
        self.ports = tuple(self._port(i) for i in range(self._cuda_engine.num_io_tensors))
        self.batches = self._batches()

    def save_runtime_cache(self) -> None:
        """Keep what TensorRT-RTX compiled for this GPU; nothing to do for classic TensorRT."""
        if self._runtime_cache is None or self._cache_path is None:
            return
        blob = self._runtime_cache.serialize()
        if blob is None:
            return
        unfinished = self._cache_path.with_suffix(f".tmp-{uuid.uuid4().hex}")
        with contextlib.suppress(OSError):  # a read-only store only costs time at the next start
            unfinished.write_bytes(memoryview(blob))
            unfinished.replace(self._cache_path)

    def lend(self, context: Any) -> Tensor | None:
        """Gives a context the shared memory for its next run."""
        if self._memory is None:
            return None
        size = int(self._cuda_engine.device_memory_size_v2)
        block = self._memory.block(size)
        context.set_device_memory(block.data_ptr(), block.numel())
        return block

    def _new_runtime(self) -> Any:
        try:
            runtime = self.binding.trt.Runtime(self.log)
        except TypeError:  # pybind11: the factory gave a null pointer
            runtime = None
        if runtime is None:
            raise PlanBuildError(
                f"{self.binding.label} has no runtime here: {self.log.reason()}; check the GPU's "
                "driver, or use backend=compile"
            )
        return runtime

    def failure(self, line: str, kind: type[EngineError]) -> Exception:
        """The error to raise; torch's own where memory ran out, so that batches are halved."""
        if OUT_OF_MEMORY.search(self.log.reason(LAST_LINES)):
            return torch.OutOfMemoryError(line)
        return kind(line)

    def new_context(self) -> Any:
        """An execution context.

        Raises:
            PlanBuildError: the library gives none, with the reason it logged.
            OutOfMemoryError: for want of memory.
        """
        config = self._rtx_config() if self.binding.is_rtx else None
        if self._memory is not None:
            config = config or self._cuda_engine.create_runtime_config()
            config.set_execution_context_allocation_strategy(user_managed(self.binding.trt))
        context = self._cuda_engine.create_execution_context(*([config] if config else []))
        if context is None:
            raise self.failure(
                f"{self.what}: no execution context: {self.log.reason()}; "
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
        if self._cuda_graphs:
            strategy = self.binding.trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            config.cuda_graph_strategy = strategy
        # By default kernels for a shape are compiled in the background and swapped in when ready: a
        # frame's bytes would depend on when it came, and the saved cache would lack them.
        kernels = self.binding.trt.DynamicShapesKernelSpecializationStrategy
        config.dynamic_shapes_kernel_specialization_strategy = kernels.EAGER
        return config

    def _port(self, index: int) -> Port:
        name = self._cuda_engine.get_tensor_name(index)
        mode = self._cuda_engine.get_tensor_mode(name)
        dtype = str(self._cuda_engine.get_tensor_dtype(name).name)
        shape = tuple(self._cuda_engine.get_tensor_shape(name))
        return Port(name, mode == self.binding.trt.TensorIOMode.INPUT, TENSOR_TYPES[dtype], shape)

    def _batches(self) -> tuple[int, int]:
        dynamic = next(p for p in self.ports if p.is_input and -1 in p.shape)
        least, _, most = self._cuda_engine.get_tensor_profile_shape(dynamic.name, 0)
        return int(next(iter(least))), int(next(iter(most)))
