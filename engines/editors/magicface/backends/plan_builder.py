"""Weights → exported graphs → built plans, each made once, proved, and kept in the store.

What is already there is found from hashes and version numbers alone: no network is loaded.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engines.editors.magicface.backends.build_request import (
    BuildRequest,
    check_buildable,
    graph_key_of,
    opset_for,
    plan_key_of,
)
from engines.editors.magicface.backends.ports import COMPONENTS, PORTS
from engines.trt.binding import Binding
from engines.trt.build import build_plan
from engines.trt.network import GRAPH_FILE, PLAN_FILE, SAMPLE_FILE
from engines.trt.store.cache import PlanCache
from engines.trt.store.entry import CacheEntry
from engines.trt.store.key import StoreKey

if TYPE_CHECKING:
    from engines.editors.magicface.model.torch_networks import TorchModules

PROVED_ON_GPU = "not run on a CPU: whoever loads a plan of it compares that with torch"
Report = Callable[[str, str, float | None], None]
"""Called with component, what is happening, and how far it is (0…1, None where unknown)."""


@dataclass(frozen=True)
class Prepared:
    """One graph or plan, made now or found.

    Attributes:
        made_now: False when it was in the store already.
        seconds: what this call took.
    """

    entry: CacheEntry
    made_now: bool
    seconds: float


class PlanBuilder:
    """Makes or finds every graph and plan of a request; loads the networks when first needed."""

    def __init__(
        self,
        request: BuildRequest,
        binding: Binding | None,
        cache: PlanCache,
        report: Report = lambda *_: None,
        *,
        proved_on_gpu: bool = False,
    ) -> None:
        """Take a request.

        Args:
            binding: builds the plans; None exports graphs only.
            proved_on_gpu: who loads the plans compares each with torch on its GPU before it serves;
                graphs are then not run by onnxruntime on the CPU as well.
        Raises:
            PlanBuildError: a target that this library, or this machine, cannot build for.
        """
        if binding is not None:
            check_buildable(request, binding)
        self.request = request
        self.binding = binding
        self.cache = cache
        self.report = report
        self.proved_on_gpu = proved_on_gpu
        self._modules: TorchModules | None = None

    def run(self) -> Iterator[Prepared]:
        """All graphs and plans, one by one as they are ready.

        Raises:
            EngineError: weights that do not fit, a failed export or build, a graph or a plan
                that disagrees with torch.
        """
        for component in COMPONENTS:
            graph = self.graph(component)
            yield graph
            if self.binding is not None:
                yield self.plan(component, graph.entry)

    def graph(self, component: str) -> Prepared:
        """The exported graph of a component, proved by onnxruntime unless its plans' GPU does."""
        self.report(component, "hashing weights", None)
        key = graph_key_of(self.request, component, self.binding)
        return self._once(key, lambda folder: self._export(component, folder))

    def plan(self, component: str, graph: CacheEntry) -> Prepared:
        """The plan of a component, from its graph's entry."""
        assert self.binding is not None
        key = plan_key_of(self.request, component, self.binding, graph)
        return self._once(key, lambda folder: self._build(component, graph, folder))

    def _once(self, key: StoreKey, make: Callable[[Path], Mapping[str, str]]) -> Prepared:
        began = time.monotonic()
        entry, made_now = self.cache.make_once(
            key, make, on_wait=lambda text: self.report(key.component, text, None)
        )
        return Prepared(entry, made_now, time.monotonic() - began)

    def _export(self, component: str, folder: Path) -> dict[str, str]:
        from engines.devices.precision import DTYPES
        from engines.editors.magicface.backends.components import flat_module, sample_inputs
        from engines.trt.export import EXPORTED_AT_BATCH, export_graph
        from engines.trt.proof import GoldenSample, prove_graph
        from engines.trt.rows import repeat_rows

        ports, dtype = PORTS[component], self.request.dtype
        modules = self._loaded(component)
        flat = flat_module(component, modules)
        self.report(component, "exporting", None)
        began = time.monotonic()
        opset = opset_for(component, self.binding)
        inputs = sample_inputs(component, modules, batch=1, dtype=DTYPES[dtype])
        export_graph(ports, flat, repeat_rows(inputs, EXPORTED_AT_BATCH), folder, opset=opset)
        exported_s = time.monotonic() - began
        self.report(component, "computing in fp32", None)
        sample = GoldenSample.of(ports, flat, inputs, dtype)
        sample.write(folder / SAMPLE_FILE)
        if self.proved_on_gpu:
            return {"export_s": f"{exported_s:.1f}", "accuracy": PROVED_ON_GPU}
        self.report(component, "checking against torch", None)
        accuracy = prove_graph(ports, sample, folder, dtype)
        return {"export_s": f"{exported_s:.1f}", "accuracy": str(accuracy)}

    def _build(self, component: str, graph: CacheEntry, folder: Path) -> dict[str, str]:
        assert self.binding is not None
        assert self.request.sm is not None
        plan = build_plan(
            self.binding,
            graph.path(GRAPH_FILE),
            sm=self.request.sm,
            batch=self.request.profile(component),
            progress=lambda phase, done: self.report(component, f"building: {phase}", done),
        )
        (folder / PLAN_FILE).write_bytes(plan)
        shutil.copyfile(graph.path(SAMPLE_FILE), folder / SAMPLE_FILE)
        return {"accuracy": self._prove_plan(component, folder)}

    def _prove_plan(self, component: str, folder: Path) -> str:
        if self.request.sm != self.request.gpu_sm:
            return f"not run: no SM{self.request.sm} GPU on the machine that built it"
        from engines.trt.proof import check_sample
        from engines.trt.runtime import TrtSession

        assert self.binding is not None
        self.report(component, "checking the plan against torch", None)
        session = TrtSession(self.binding, folder / PLAN_FILE, device=self.request.device)
        accuracy = check_sample(
            component,
            session,
            self.binding.label,
            folder / SAMPLE_FILE,
            device=self.request.device,
            rows=self.request.profile(component).smallest,
        )
        return str(accuracy)

    def _loaded(self, component: str) -> TorchModules:
        if self._modules is None:
            from engines.devices.precision import DTYPES
            from engines.editors.magicface.model.torch_networks import load_modules

            self.report(component, "loading weights", None)
            # On the CPU, GPU or not: onnxruntime proves graphs there, every machine makes the same
            # ones, and a GPU's memory is left to the builder.
            modules = load_modules(self.request.folders, "cpu", DTYPES[self.request.dtype])
            self._modules = replace(modules, image_size=self.request.image_size)
        return self._modules
