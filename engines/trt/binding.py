"""The two TensorRTs behind one thin layer: which one it is, its log, its targets.

Classic `tensorrt` 10 and 11 and TensorRT for RTX (`tensorrt_rtx`) share nearly all of their Python
surface. What differs is found here and in build.py and runtime.py by `Binding.is_rtx` and by
what a module has, never by parsing version numbers.
"""

from __future__ import annotations

import importlib
from collections import deque
from dataclasses import dataclass
from typing import Any

from engines.errors import EngineError, EngineUnavailableError

MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
"""Backend name → module it imports."""

EXTRAS = {"tensorrt": "tensorrt", "tensorrt-rtx": "rtx"}

RTX_SMS = (75, 80, 86, 89, 120, 121)
"""GPU generations TensorRT for RTX 1.7 targets; 90 (H100, H200) and 100 are not among them."""

RTX_LISTED_SMS = (75, 86, 89, 120, 121)
"""Those its support matrix lists; SM 80 (A100, A30) can be built for, not promised to run."""

LINES_KEPT = 400
ATTENTION_SINCE = (10, 14)
"""TensorRT versions from here on import ONNX's `Attention` (opset 23) as one operation."""


@dataclass(frozen=True)
class Binding:
    """An imported TensorRT.

    Attributes:
        name: backend name, `tensorrt` or `tensorrt-rtx`.
        trt: the module.
    """

    name: str
    trt: Any

    @property
    def version(self) -> str:
        """The library's own version, in full: plans fit this one only."""
        return str(self.trt.__version__)

    @property
    def is_rtx(self) -> bool:
        """Whether this is TensorRT for RTX, which compiles for a named GPU generation."""
        return hasattr(self.trt, "ComputeCapability")

    @property
    def label(self) -> str:
        """Name and version, for messages."""
        return f"{'TensorRT-RTX' if self.is_rtx else 'TensorRT'} {self.version}"

    def targets(self) -> tuple[int, ...]:
        """SM numbers that plans can be built for ahead of time; empty for classic TensorRT."""
        if not self.is_rtx:
            return ()
        members = self.trt.ComputeCapability.__members__
        return tuple(sorted(int(n[2:]) for n in members if n.startswith("SM")))

    def opset(self) -> int:
        """The ONNX opset to export for this version: 23 keeps attention whole, 20 spells it out."""
        if self.is_rtx:
            return 23
        major, minor = (int(part) for part in self.version.split(".")[:2])
        return 23 if (major, minor) >= ATTENTION_SINCE else 20

    def log(self) -> BuildLog:
        """A logger for this module that keeps what the library says."""
        return _logger(self.trt)


def import_binding(name: str) -> Binding:
    """Import a TensorRT by backend name.

    Raises:
        EngineError: no such backend.
        EngineUnavailableError: not installed, or too old; says how to get it.
    """
    if name not in MODULES:
        raise EngineError(f"no TensorRT backend {name!r}; known: {', '.join(MODULES)}")
    hint = f"pip install 'aureel[{EXTRAS[name]}]'"
    try:
        module = importlib.import_module(MODULES[name])
    except (ImportError, OSError) as error:
        reason = " ".join(str(error).split())
        raise EngineUnavailableError(
            f"backend {name!r}: {MODULES[name]} cannot be imported ({reason}); {hint}"
        ) from None
    version = str(getattr(module, "__version__", "unknown"))
    binding = Binding(name, module)
    if not binding.is_rtx and version.split(".", maxsplit=1)[0] not in {"10", "11"}:
        raise EngineUnavailableError(
            f"backend {name!r}: found {MODULES[name]} {version}, expected 10.x or 11.x; {hint}"
        )
    return binding


class BuildLog:
    """What a TensorRT object logged; failed builds and loads give None and say why only here."""

    lines: deque[tuple[str, str]]

    def errors(self) -> list[str]:
        """Error lines, oldest first, without repeats."""
        found = [text for severity, text in self.lines if "ERROR" in severity]
        return list(dict.fromkeys(found))

    def reason(self, most: int = 3) -> str:
        """The last few errors as one line; warnings when there are none."""
        lines = self.errors() or [text for _, text in self.lines]
        return (
            " | ".join(" ".join(t.split()) for t in lines[-most:]) or "the library gave no reason"
        )


def _logger(trt: Any) -> BuildLog:
    class _Log(trt.ILogger, BuildLog):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.lines = deque(maxlen=LINES_KEPT)

        def log(self, severity: Any, msg: str) -> None:
            name = str(getattr(severity, "name", severity))
            if name in {"INTERNAL_ERROR", "ERROR", "WARNING"}:
                self.lines.append((name, msg))

    return _Log()
