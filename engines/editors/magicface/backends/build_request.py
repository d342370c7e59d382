"""What is to be made, and under which keys it is kept; known without loading a network."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

from engines.devices.dtype_names import DTYPE_NAMES
from engines.editors.magicface.backends.fingerprint import weights_sha256
from engines.editors.magicface.backends.ports import PORTS, RECIPE_VERSION
from engines.editors.magicface.folders import (
    NamedWeights,
    WeightFolders,
    named_weights,
    native_size,
    read_config,
)
from engines.editors.magicface.settings import MagicFaceSettings
from engines.errors import EngineError
from engines.trt.binding import Binding
from engines.trt.build import check_target
from engines.trt.errors import PlanBuildError
from engines.trt.network import GRAPH_FILE
from engines.trt.store.entry import CacheEntry
from engines.trt.store.key import BatchProfile, StoreKey, graph_key, plan_key

FLAGS = "strongly typed"
PARTS = fields(WeightFolders)
SD15_SCALING_FACTOR = 0.18215
RECIPE_LIBRARIES = ("diffusers",)
SIZE_STEP = 64
"""The UNet halves its latents three times, and those are an eighth of the image."""


@dataclass(frozen=True)
class BuildRequest:
    """What is to be made.

    Attributes:
        folders: the weights.
        dtype: `fp16`, `bf16` or `fp32`; plans exist in the first two only.
        image_size: side in pixels; the graphs work at this size only.
        batch: frames per call.
        sm: GPU generation the plans are for; None for graphs alone.
        gpu: name of the GPU present, None without one.
        gpu_sm: its generation.
        device: where a plan for this GPU is checked.
        named: how other machines find the weights; None = the request stays on this one.
    """

    folders: WeightFolders
    dtype: str
    image_size: int
    batch: BatchProfile
    sm: int | None = None
    gpu: str | None = None
    gpu_sm: int | None = None
    device: str = "cpu"
    named: NamedWeights | None = None

    def travelling(self) -> BuildRequest:
        """The same for other machines: this one's folders mean nothing there."""
        assert self.named is not None
        return replace(self, folders=WeightFolders(*[Path(self.named.own)] * len(PARTS)))

    def here(self) -> BuildRequest:
        """The same with the weights as this machine has them, downloaded where they are not here.

        Raises:
            EngineError: they cannot be had, or are others than the job's.
        """
        return self if self.named is None else replace(self, folders=self.named.located())

    def __post_init__(self) -> None:
        if self.dtype not in DTYPE_NAMES:
            raise EngineError(f"no dtype {self.dtype!r}; known: {', '.join(DTYPE_NAMES)}")
        if self.sm is not None and self.dtype == "fp32":
            raise EngineError("TensorRT plans in fp32: got fp32, expected fp16 or bf16")
        if self.image_size < SIZE_STEP or self.image_size % SIZE_STEP:
            raise EngineError(
                f"image size {self.image_size}: expected a positive multiple of {SIZE_STEP}"
            )

    def profile(self, component: str) -> BatchProfile:
        """Rows per call: frames, and for the denoiser up to two of each (guidance)."""
        frames = self.batch
        if component != "denoiser":
            return frames
        return BatchProfile(frames.smallest, 2 * frames.best, 2 * frames.largest)


def wanted_by(asked: MagicFaceSettings) -> BuildRequest:
    """What an editor of these settings looks for, still without a GPU.

    Raises:
        EngineError: the weights are not here, or a size that no graph has.
    """
    named = named_weights(asked.weights, asked.base)
    folders = named.located()
    dtype = "fp16" if asked.dtype == "auto" else asked.dtype
    batch = BatchProfile(1, asked.batch, asked.batch)
    return BuildRequest(folders, dtype, asked.size or native_size(folders), batch, named=named)


def opset_for(component: str, binding: Binding | None) -> int:
    """The ONNX opset of a component's graph.

    The VAE's one attention has heads of 512 channels, for which TensorRT has no kernel and refuses
    the whole `Attention` operation of opset 23; opset 22 spells it out and still has
    `GroupNormalization` as one operation.
    """
    newest = 23 if binding is None else binding.opset()
    return min(newest, 22) if component.startswith("vae") else newest


def scaling_factor(folders: WeightFolders) -> float:
    """The VAE's, from its configuration."""
    return float(read_config(folders.vae).get("scaling_factor", SD15_SCALING_FACTOR))


def graph_key_of(request: BuildRequest, component: str, binding: Binding | None) -> StoreKey:
    """The key of a component's graph."""
    return graph_key(
        PORTS[component],
        weights_sha256=weights_sha256(component, request.folders),
        recipe=str(RECIPE_VERSION),
        opset=opset_for(component, binding),
        dtype=request.dtype,
        sizes={"image_size": str(request.image_size)},
        libraries=RECIPE_LIBRARIES,
    )


def plan_key_of(
    request: BuildRequest, component: str, binding: Binding, graph: CacheEntry
) -> StoreKey:
    """The key of a component's plan; classic plans fit one GPU model, RTX's one generation."""
    return plan_key(
        component,
        graph_sha256=graph.files[GRAPH_FILE][1],
        graph_facts=graph.facts,
        backend=binding.name,
        backend_version=binding.version,
        target=target_name(binding, request.sm, request.gpu),
        batch=request.profile(component),
        flags=FLAGS,
    )


def target_name(binding: Binding, sm: int | None, gpu: str | None) -> str:
    """What a plan fits: `sm89` (RTX), `sm90 NVIDIA H200` (classic)."""
    return f"sm{sm}" if binding.is_rtx else f"sm{sm} {gpu}"


def check_buildable(request: BuildRequest, binding: Binding) -> None:
    """Refuse a plan that cannot be built here.

    Raises:
        PlanBuildError: RTX does not target the generation; or classic TensorRT, which builds on
            the GPU the plan is for, does not find it.
    """
    if request.sm is None:
        raise PlanBuildError(f"{binding.label}: no target GPU named; expected e.g. sm89")
    check_target(binding, request.sm)
    if not binding.is_rtx and request.sm != request.gpu_sm:
        found = "no CUDA GPU" if request.gpu is None else f"{request.gpu}, SM{request.gpu_sm}"
        raise PlanBuildError(
            f"{binding.label} builds on the GPU a plan is for: asked SM{request.sm}, found "
            f"{found}; run this on such a machine, or build ahead of time with "
            "--backend tensorrt-rtx where it targets that GPU"
        )
