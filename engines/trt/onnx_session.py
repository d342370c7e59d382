"""An exported graph run by onnxruntime, on torch tensors without copies: CPU, CUDA where built in.

It is a backend of its own, and the witness for every graph: what onnxruntime computes from the
file is compared with torch before any plan is built from it.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engines.errors import EngineError, EngineUnavailableError
from engines.trt.errors import PlanBuildError
from engines.trt.rows import repeated_to

TENSOR_TYPES = {
    "tensor(float)": (torch.float32, 1),
    "tensor(float16)": (torch.float16, 10),
    "tensor(bfloat16)": (torch.bfloat16, 16),
    "tensor(int64)": (torch.int64, 7),
}
"""onnxruntime's type name → torch dtype, ONNX's number for it."""


class OnnxSession:
    """Named tensors in, named tensors out; a `Session`."""

    def __init__(
        self,
        path: Path,
        device: str = "cpu",
        *,
        threads: int | None = None,
        steady: Collection[str] = (),
    ) -> None:
        """Load a graph.

        Args:
            device: `cpu`, or `cuda` with an onnxruntime that has CUDA.
            threads: CPU threads; None = as torch uses.
            steady: inputs that may have a whole fraction of the batch's rows.
        Raises:
            EngineUnavailableError: onnxruntime, or its CUDA provider, is not there.
            PlanBuildError: the file cannot be loaded; with onnxruntime's reason.
        """
        provider = check_provider(device)
        ort = _import()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=[(provider, _options(device))]
            )
        except _failures() as error:
            reason = " ".join(str(error).split())
            raise PlanBuildError(f"onnxruntime cannot load {path}: {reason}") from None
        loaded = self._session.get_providers()
        if provider not in loaded:  # onnxruntime tells so in its log only, and goes on
            raise EngineUnavailableError(
                f"backend 'onnxruntime': {provider} did not load, only {', '.join(loaded)}; check "
                "CUDA and cuDNN, or use device=cpu"
            )
        self._device = torch.device(device)
        self._steady = frozenset(steady)
        self._inputs = {i.name: i for i in self._session.get_inputs()}
        self.version = str(ort.__version__)

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run once; outputs are new tensors on the session's device."""
        binding = self._session.io_binding()
        batch = max(inputs[name].shape[0] for name in self._inputs if inputs[name].ndim)
        kept = {name: self._bind_input(binding, name, inputs[name], batch) for name in self._inputs}
        where = self._device.type, self._device.index or 0
        outputs: dict[str, Tensor] = {}
        for port in self._session.get_outputs():
            dtype, number = TENSOR_TYPES[port.type]
            shape = [batch, *port.shape[1:]]
            outputs[port.name] = torch.empty(shape, dtype=dtype, device=self._device)
            pointer = outputs[port.name].data_ptr()
            binding.bind_output(port.name, *where, number, shape, pointer)
        if self._device.type == "cuda":  # onnxruntime has a stream of its own
            torch.cuda.current_stream(self._device).synchronize()
        self._session.run_with_iobinding(binding)
        del kept  # onnxruntime read them by address
        binding.synchronize_outputs()
        return outputs

    def _bind_input(self, binding: Any, name: str, tensor: Tensor, batch: int) -> Tensor:
        port = self._inputs[name]
        dtype, number = TENSOR_TYPES[port.type]
        fits = tensor.ndim == len(port.shape) and all(
            isinstance(n, str) or n == m for n, m in zip(port.shape, tensor.shape, strict=True)
        )
        if tensor.dtype != dtype or not fits:
            raise EngineError(
                f"input {name}: got {tensor.dtype} {tuple(tensor.shape)}; "
                f"expected {dtype} {tuple(port.shape)}"
            )
        dense = tensor.to(self._device)
        if name in self._steady:
            dense = repeated_to(dense, (batch, *dense.shape[1:]))
        dense = dense.contiguous()
        where = self._device.type, self._device.index or 0
        binding.bind_input(name, *where, number, list(dense.shape), dense.data_ptr())
        return dense


def check_provider(device: str) -> str:
    """Name of onnxruntime's execution provider for a torch device.

    Raises:
        EngineUnavailableError: onnxruntime, or its CUDA provider, is not there.
    """
    ort = _import()
    provider = "CUDAExecutionProvider" if device.startswith("cuda") else "CPUExecutionProvider"
    if provider not in ort.get_available_providers():
        raise EngineUnavailableError(
            f"backend 'onnxruntime': {provider} is not in onnxruntime {ort.__version__} "
            f"({', '.join(ort.get_available_providers())}); pip install onnxruntime-gpu, or use "
            "device=cpu"
        )
    return provider


def _options(device: str) -> dict[str, str]:
    """Full fp32, and convolutions chosen by rule: a timing contest ends differently each time."""
    if not device.startswith("cuda"):
        return {}
    index = str(torch.device(device).index or 0)
    return {"device_id": index, "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


def _import() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineUnavailableError(
            f"backend 'onnxruntime': cannot be imported ({error}); pip install 'aureel[onnx]'"
        ) from None
    return onnxruntime


def _failures() -> tuple[type[Exception], ...]:
    """onnxruntime's own errors; they have no base of their own."""
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    found = (c for c in vars(state).values() if isinstance(c, type) and issubclass(c, Exception))
    return (*found, OSError)
