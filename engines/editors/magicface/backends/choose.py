"""Which backend runs the networks on this machine, and why: a pure rule over what was found.

`auto` prefers what is fastest there and goes down a fixed list; a backend asked for by name is
taken or refused, never replaced.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field

from engines.editors.magicface.traits import BACKENDS
from engines.errors import EngineError, EngineUnavailableError
from engines.trt.binding import MODULES, RTX_LISTED_SMS, RTX_SMS

DISTRIBUTIONS = {
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
    "tensorrt-rtx": ("tensorrt-rtx-cu13", "tensorrt-rtx-cu12", "tensorrt-rtx"),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "compile": ("triton", "triton-windows", "pytorch-triton"),
}
"""Backend → packages whose presence, in that order, tells its version."""

NOT_INSTALLED = {
    "tensorrt": "tensorrt not installed; pip install 'aureel[tensorrt]'",
    "tensorrt-rtx": "tensorrt_rtx not installed; pip install 'aureel[rtx]'",
    "onnxruntime": "onnxruntime not installed; pip install 'aureel[onnx]'",
    "compile": "triton not installed, which torch.compile needs on a GPU; use backend=eager",
}


@dataclass(frozen=True)
class Machine:
    """What there is to run networks on.

    Attributes:
        gpu: the CUDA GPU's name as its driver tells it, or None.
        sm: its generation (90 for compute capability 9.0), None without a GPU.
        versions: backend → version of its package, for those installed.
        rtx_sms: generations the installed TensorRT for RTX targets.
    """

    gpu: str | None = None
    sm: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    rtx_sms: tuple[int, ...] = RTX_SMS

    @property
    def device(self) -> str:
        """The torch device to work on."""
        return "cpu" if self.gpu is None else "cuda"

    @property
    def label(self) -> str:
        """For messages."""
        return "no CUDA GPU" if self.gpu is None else f"GPU {self.gpu} (SM{self.sm})"


@dataclass(frozen=True)
class Choice:
    """A backend and the reason for it, one clause for the report."""

    backend: str
    reason: str


def probe_machine(device: str | None = None) -> Machine:
    """This machine, by asking torch for the GPU and the package metadata for the rest.

    Args:
        device: torch device the networks are to run on; `cpu` leaves a GPU that is there out of
            sight. None = the current GPU where there is one.
    """
    import torch

    versions = {b: v for b in DISTRIBUTIONS if (v := _installed(b)) is not None}
    if device == "cpu" or not torch.cuda.is_available():
        return Machine(versions=versions)
    major, minor = torch.cuda.get_device_capability(device)
    return Machine(torch.cuda.get_device_name(device), major * 10 + minor, versions)


def _installed(backend: str) -> str | None:
    module = {**MODULES, "compile": "triton"}.get(backend, backend)
    if importlib.util.find_spec(module) is None:
        return None
    for name in DISTRIBUTIONS[backend]:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "of unknown version"


def unavailable_reason(backend: str, machine: Machine) -> str | None:
    """Why a backend cannot run on a machine, with what can be done; None when it can.

    Raises:
        EngineError: no such backend.
    """
    if backend not in BACKENDS[1:]:
        raise EngineError(f"no backend {backend!r}; known: {', '.join(BACKENDS)}")
    if backend == "eager" or (backend == "onnxruntime" and backend in machine.versions):
        return None
    if machine.sm is None and backend != "onnxruntime":
        ahead = ", or build for another machine with jobs/build_engines.py --target sm89"
        advice = "use backend=eager or onnxruntime" + (ahead if backend in MODULES else "")
        return f"no CUDA GPU on this machine; {advice}"
    if backend not in machine.versions:
        return NOT_INSTALLED[backend]
    if backend == "tensorrt-rtx" and machine.sm not in machine.rtx_sms:
        return (
            f"GPU {machine.gpu} is SM{machine.sm}; {_rtx_label(machine)} targets "
            f"{', '.join(map(str, machine.rtx_sms))}; use backend=tensorrt or compile"
        )
    return None


TORCH_BACKENDS = ("compile", "eager")


def candidates(backend: str, machine: Machine, *, torch_only: bool = False) -> list[Choice]:
    """The backends to try in turn: one for an explicit name, the falling list for `auto`.

    Args:
        torch_only: `--cache-steps` needs the denoiser in parts, which no graph or plan has.
    Returns:
        At least one choice; the reason of each tells why those before it were passed over.
    Raises:
        EngineUnavailableError: an explicit backend that cannot run here.
    """
    if torch_only and backend not in ("auto", *TORCH_BACKENDS):
        raise EngineError(
            f"backend {backend!r}: --cache-steps needs the denoiser in parts, which graphs and "
            f"plans do not have; expected auto, {' or '.join(TORCH_BACKENDS)}"
        )
    if backend != "auto":
        if (why := unavailable_reason(backend, machine)) is not None:
            raise EngineUnavailableError(f"backend {backend!r}: {why}")
        return [Choice(backend, f"asked for by name; {machine.label}")]
    if machine.sm is None:
        return [Choice("eager", "auto: no CUDA GPU on this machine, so torch on the CPU")]
    passed: list[str] = []
    found: list[Choice] = []
    for name in ("tensorrt-rtx", "tensorrt", "compile", "eager"):
        why = unavailable_reason(name, machine)
        if why is None and torch_only and name not in TORCH_BACKENDS:
            why = "it has no denoiser in parts, which --cache-steps needs; leave that out"
        if why is None and name == "tensorrt-rtx":
            why = rtx_unlisted_reason(machine.sm)
        if why is not None:
            passed.append(f"not {name}: {_finding(why)}")
            continue
        reason = f"auto: {name} {machine.versions.get(name, '')}".rstrip()
        found.append(Choice(name, "; ".join([f"{reason} on {machine.label}", *passed])))
    return found


def rtx_unlisted_reason(sm: int | None) -> str | None:
    """Why `auto` leaves TensorRT for RTX out on a GPU that it can be asked for by name; or None."""
    if sm not in RTX_SMS or sm in RTX_LISTED_SMS:
        return None
    listed = ", ".join(map(str, RTX_LISTED_SMS))
    return f"TensorRT-RTX's support matrix lists SM {listed}, not {sm}; use backend=tensorrt-rtx"


def _finding(reason: str) -> str:
    """A reason without its advice, which is the last clause."""
    return reason.rpartition("; ")[0]


def _rtx_label(machine: Machine) -> str:
    version = machine.versions.get("tensorrt-rtx", "")
    return f"TensorRT-RTX {'.'.join(version.split('.')[:2])}".rstrip()
