"""Weights → exported graphs → built engines, each made once, proved, and kept in the store.

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
    Order,
    check_buildable,
    engine_key_of,
    graph_key_of,
    opset_for,
)
from engines.editors.magicface.backends.ports import GRAPH_FILE, ORDER, PLAN_FILE, SAMPLE_FILE
from engines.trt.binding import Binding
from engines.trt.build import build_plan
from engines.trt.cache import EngineCache
from engines.trt.entry import Entry
from engines.trt.key import StoreKey

if TYPE_CHECKING:
    from engines.editors.magicface.model.torch_networks import TorchModules

Report = Callable[[str, str, float | None], None]
"""Told component, what is happening, and how far it is (0…1, None where unknown)."""


@dataclass(frozen=True)
class Prepared:
    """One graph or engine, made now or found.

    Attributes:
        made_now: False when it was in the store already.
        seconds: what this call took.
    """

    entry: Entry
    made_now: bool
    seconds: float


class Workshop:
    """Makes or finds every graph and engine of an order; loads the networks when first needed."""

    def __init__(
        self,
        order: Order,
        binding: Binding | None,
        cache: EngineCache,
        report: Report = lambda *_: None,
    ) -> None:
        """Take an order.

        Args:
            binding: builds the engines; None exports graphs only.
        Raises:
            EngineBuildError: a target that this library, or this machine, cannot build for.
        """
        if binding is not None:
            check_buildable(order, binding)
        self.order = order
        self.binding = binding
        self.cache = cache
        self.report = report
        self._modules: TorchModules | None = None

    def run(self) -> Iterator[Prepared]:
        """All graphs and engines, one by one as they are ready.

        Raises:
            EngineError: weights that do not fit, a failed export or build, a graph or an engine
                that disagrees with torch.
        """
        for component in ORDER:
            graph = self.graph(component)
            yield graph
            if self.binding is not None:
                yield self.engine(component, graph.entry)

    def graph(self, component: str) -> Prepared:
        """The exported graph of a component, proved by onnxruntime."""
        self.report(component, "hashing weights", None)
        key = graph_key_of(self.order, component, self.binding)
        return self._once(key, lambda folder: self._export(component, folder))

    def engine(self, component: str, graph: Entry) -> Prepared:
        """The engine of a component, from its graph's entry."""
        assert self.binding is not None
        key = engine_key_of(self.order, component, self.binding, graph)
        return self._once(key, lambda folder: self._build(component, graph, folder))

    def _once(self, key: StoreKey, make: Callable[[Path], Mapping[str, str]]) -> Prepared:
        began = time.monotonic()
        entry, made_now = self.cache.make_once(
            key, make, on_wait=lambda text: self.report(key.component, text, None)
        )
        return Prepared(entry, made_now, time.monotonic() - began)

    def _export(self, component: str, folder: Path) -> dict[str, str]:
        from engines.editors.magicface.backends.components import (
            flat_module,
            repeat_rows,
            sample_inputs,
        )
        from engines.editors.magicface.backends.witness import prove_graph
        from engines.editors.magicface.model.torch_networks import DTYPES
        from engines.trt.export import EXPORTED_AT_BATCH, export_graph

        modules = self._loaded(component)
        flat = flat_module(component, modules)
        dtype = DTYPES[self.order.dtype]
        self.report(component, "exporting", None)
        began = time.monotonic()
        opset = opset_for(component, self.binding)
        sample = sample_inputs(component, modules, batch=1, dtype=dtype)
        example = repeat_rows(sample, EXPORTED_AT_BATCH)
        export_graph(component, flat, example, folder, opset=opset)
        exported_s = time.monotonic() - began
        self.report(component, "checking against torch", None)
        parity = prove_graph(component, flat, sample, folder, self.order.dtype)
        return {"export_s": f"{exported_s:.1f}", "parity": str(parity)}

    def _build(self, component: str, graph: Entry, folder: Path) -> dict[str, str]:
        assert self.binding is not None
        assert self.order.sm is not None
        plan = build_plan(
            self.binding,
            graph.path(GRAPH_FILE),
            sm=self.order.sm,
            batch=self.order.profile(component),
            progress=lambda phase, done: self.report(component, f"building: {phase}", done),
        )
        (folder / PLAN_FILE).write_bytes(plan)
        shutil.copyfile(graph.path(SAMPLE_FILE), folder / SAMPLE_FILE)
        return {"parity": self._prove_engine(component, folder)}

    def _prove_engine(self, component: str, folder: Path) -> str:
        if self.order.sm != self.order.gpu_sm:
            return f"not run: no SM{self.order.sm} GPU on the machine that built it"
        from engines.editors.magicface.backends.witness import check_sample
        from engines.trt.runtime import TrtSession

        assert self.binding is not None
        self.report(component, "checking the engine against torch", None)
        session = TrtSession(self.binding, folder / PLAN_FILE, device=self.order.device)
        parity = check_sample(
            component,
            session,
            self.binding.label,
            folder / SAMPLE_FILE,
            dtype=self.order.dtype,
            device=self.order.device,
            rows=self.order.profile(component).smallest,
        )
        return str(parity)

    def _loaded(self, component: str) -> TorchModules:
        if self._modules is None:
            from engines.editors.magicface.model.torch_networks import DTYPES, load_modules

            self.report(component, "loading weights", None)
            # On the CPU, GPU or not: onnxruntime proves graphs there, every machine makes the same
            # ones, and a GPU's memory is left to the builder.
            modules = load_modules(self.order.folders, "cpu", DTYPES[self.order.dtype])
            self._modules = replace(modules, image_size=self.order.image_size)
        return self._modules
