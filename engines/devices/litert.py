"""TFLite models, packaged or a user's, run by LiteRT at batch 1: no network, no system library."""

from __future__ import annotations

import zipfile
from importlib import resources
from io import BytesIO

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from engines.errors import EngineError


def packaged_model(name: str) -> bytes:
    """A file of engines/models, wherever the package lies (a folder or a zip).

    Raises:
        EngineError: no such file in this installation.
    """
    try:
        return (resources.files("engines") / "models" / name).read_bytes()
    except FileNotFoundError:
        raise EngineError(
            f"packaged model {name!r} is missing from this installation; reinstall aureel"
        ) from None


def packaged_task(name: str) -> zipfile.ZipFile:
    """A packaged MediaPipe task: a zip of models and metadata."""
    return zipfile.ZipFile(BytesIO(packaged_model(name)))


class LiteRTModel:
    """One model with one input, called again and again on arrays of the input's own shape."""

    def __init__(self, content: bytes, *, threads: int = 1) -> None:
        if threads < 1:
            raise EngineError(f"threads: got {threads}; expected 1 or more")
        self._interpreter = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        self._outputs = {d["name"]: d["index"] for d in outputs}
        self.input_shape = tuple(map(int, self._input["shape"]))
        self.input_dtype = np.dtype(self._input["dtype"])
        self.output_shapes = {d["name"]: tuple(map(int, d["shape"])) for d in outputs}

    def __call__(self, array: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Every output by its tensor name, copied."""
        self._interpreter.set_tensor(self._input["index"], array)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(i) for name, i in self._outputs.items()}
