"""What is asked of the networks, and where they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engines.editors.magicface.backends.build_request import (
    BuildRequest,
)
from engines.editors.magicface.backends.choose import Choice, Machine
from engines.editors.magicface.folders import WeightFolders
from engines.trt.accuracy import Accuracy
from engines.trt.store.cache import PlanCache
from engines.trt.store.key import BatchProfile

Say = Callable[[str], None]


@dataclass(frozen=True)
class Deployment:
    """Everything a backend needs to know of what is asked and where it runs.

    Attributes:
        frames: the most frames per call.
        rows: the most rows per call of the denoiser: frames, doubled under guidance.
        image_size: side in pixels.
        device: torch device.
        cuda_graphs: replay torch networks from captured graphs on a GPU.
        finishes: builds classic TensorRT's plans where it finds their graphs.
        cached: the denoiser's deep features are to be reused.
    """

    folders: WeightFolders
    dtype: str
    frames: int
    rows: int
    image_size: int
    device: str
    machine: Machine
    cache: PlanCache
    say: Say
    cuda_graphs: bool = True
    finishes: bool = False
    cached: bool = False

    def build_request(self, *, plans: bool) -> BuildRequest:
        """What would have to be made for this deployment."""
        return BuildRequest(
            folders=self.folders,
            dtype=self.dtype,
            image_size=self.image_size,
            batch=BatchProfile(1, self.frames, self.frames),
            sm=self.machine.sm if plans else None,
            gpu=self.machine.gpu,
            gpu_sm=self.machine.sm,
            device=self.device,
        )

    def rows_of(self, component: str) -> int:
        """Batch a component is called with."""
        return self.rows if component == "denoiser" else self.frames

    def runs_on(
        self, what: str, choice: Choice, found: Mapping[str, Accuracy] = MappingProxyType({})
    ) -> str:
        """`Networks.runs_on`: it stands in the report, and at the end of what a job prints."""
        where = self.machine.gpu if self.device.startswith("cuda") else self.device
        worst = max(found.values(), key=lambda a: a.error / a.bound, default=None)
        gate = "" if worst is None else f"; beside torch at worst {worst}"
        return f"{what} {self.dtype} on {where} ({choice.reason}{gate})"
