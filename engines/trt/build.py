"""ONNX file → plan, for one GPU generation (RTX, on any machine) or for the GPU present (classic).

Networks are strongly typed: the dtypes in the ONNX file decide, no builder flag does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines.trt.binding import Binding
from engines.trt.errors import PlanBuildError
from engines.trt.store.key import BatchProfile

Progress = Callable[[str, float], None]
"""Called with the phase's name and how far it is, 0…1, from the library's own threads."""


def check_target(binding: Binding, sm: int) -> None:
    """Refuse a GPU generation the library cannot build for.

    Raises:
        PlanBuildError: listing what it targets and what to use instead.
    """
    known = binding.targets()
    if binding.is_rtx and sm not in known:
        raise PlanBuildError(
            f"target SM{sm}: {binding.label} targets {', '.join(map(str, known))}; "
            "use backend tensorrt or compile there"
        )


def build_plan(
    binding: Binding,
    onnx_path: Path,
    *,
    sm: int,
    batch: BatchProfile,
    progress: Progress | None = None,
) -> memoryview:
    """Build a plan from an ONNX file.

    Args:
        onnx_path: the graph; external weights lie beside it.
        sm: GPU generation, e.g. 89. RTX needs no GPU here; classic builds for the GPU present,
            which must be of this generation.
        batch: for every input whose first dimension is dynamic.
    Returns:
        The serialized plan; the memory belongs to the library and lives as long as the view.
    Raises:
        PlanBuildError: with the file, the library and the reason it logged.
    """
    check_target(binding, sm)
    trt, log = binding.trt, binding.log()
    what = f"{binding.label} could not build {onnx_path.parent.name} for SM{sm}"
    try:
        builder = trt.Builder(log)
    except TypeError:  # pybind11: the factory gave a null pointer
        raise PlanBuildError(f"{what}: no builder here: {log.reason()}") from None
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx_path)):
        errors = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise PlanBuildError(f"{what}: {' | '.join(errors[:3]) or log.reason()}")
    config = builder.create_builder_config()
    config.add_optimization_profile(_profile(builder, network, batch))
    if binding.is_rtx:
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(trt.ComputeCapability, f"SM{sm}"), 0)
    monitor = _monitor(trt, progress)  # must outlive the build
    if monitor is not None:
        config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise PlanBuildError(f"{what}: {log.reason()}")
    return memoryview(plan)


def _profile(builder: Any, network: Any, batch: BatchProfile) -> Any:
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shape = tuple(tensor.shape)
        if shape and shape[0] == -1:
            sizes = [(n, *shape[1:]) for n in (batch.smallest, batch.best, batch.largest)]
            profile.set_shape(tensor.name, *sizes)
    return profile


def _monitor(trt: Any, progress: Progress | None) -> Any:
    if progress is None:
        return None

    class _Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002
            self.steps[phase_name] = max(1, num_steps)
            progress(phase_name, 0.0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress(phase_name, min(1.0, (step + 1) / self.steps.get(phase_name, 1)))
            return True

        def phase_finish(self, phase_name: str) -> None:
            progress(phase_name, 1.0)

    return _Monitor()
