"""Who builds a plan, and for which GPU: what `--backend` and `--target` mean on a machine."""

from __future__ import annotations

from dataclasses import replace

from engines.editors.magicface.backends.build_request import BuildRequest
from engines.editors.magicface.backends.choose import Machine, unavailable_reason
from engines.errors import EngineError
from engines.trt.binding import MODULES, RTX_LISTED_SMS, Binding, import_binding

BUILDERS = ("auto", *MODULES, "onnxruntime")
"""What `--backend` may be; the last exports graphs only."""


def target_sm(target: str) -> int | None:
    """`sm89` → 89; None for `auto`."""
    return None if target == "auto" else int(target.removeprefix("sm"))


def plan_build(
    backend: str, asked_sm: int | None, machine: Machine
) -> tuple[Binding | None, int | None]:
    """Who builds on this machine, and for which GPU generation; (None, None) exports graphs only.

    Raises:
        EngineError: no such backend; `--target auto` without a GPU; a generation or a library that
            does not fit.
    """
    if backend not in BUILDERS:
        raise EngineError(f"no backend {backend!r} that builds; known: {', '.join(BUILDERS)}")
    if backend == "onnxruntime":
        if asked_sm is not None:
            raise EngineError(
                f"--target sm{asked_sm} with --backend onnxruntime: graphs fit every GPU; "
                "leave --target out"
            )
        return None, None
    name, sm = planned(backend, asked_sm, machine)
    return import_binding(name), sm


def targeted(request: BuildRequest, backend: str, sm: int, machine: Machine) -> BuildRequest:
    """A request for the GPU of a machine: classic plans are of its very model, built on it."""
    classic = backend == "tensorrt"  # RTX compiles without a GPU
    here = (machine.gpu, machine.sm, machine.device) if classic else (None, None, "cpu")
    return replace(request, sm=sm, gpu=here[0], gpu_sm=here[1], device=here[2])


def planned(backend: str, asked_sm: int | None, machine: Machine) -> tuple[str, int]:
    """The TensorRT that builds on a machine, by name, and the GPU generation it builds for.

    Raises:
        EngineError: no GPU there and no target named; `auto`, and none that could build is there.
    """
    sm = asked_sm if asked_sm is not None else machine.sm
    if sm is None:
        raise EngineError(
            "--target auto: no CUDA GPU on this machine; name the GPU to build for, "
            "e.g. --target sm89"
        )
    if backend != "auto":
        return backend, sm
    listed = sm in RTX_LISTED_SMS
    rtx_fits = listed and sm in machine.rtx_sms and "tensorrt-rtx" in machine.versions
    if rtx_fits or (listed and "tensorrt" not in machine.versions):
        return "tensorrt-rtx", sm
    why = unavailable_reason("tensorrt", replace(machine, sm=sm))
    if why is not None:
        raise EngineError(
            f"--backend auto for SM{sm}: TensorRT-RTX is for "
            f"{', '.join(map(str, RTX_LISTED_SMS))}, and {why}"
        )
    return "tensorrt", sm
