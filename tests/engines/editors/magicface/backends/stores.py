"""Graphs and plans that tests of several rooms share, made once per run: exports take longest."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from engines.editors.magicface.backends.build_request import BuildRequest
from engines.editors.magicface.backends.plan_builder import PlanBuilder, Prepared
from engines.editors.magicface.backends.ports import COMPONENTS
from engines.editors.magicface.bench.weights import write_weights
from engines.editors.magicface.folders import find_folders
from engines.trt.binding import import_binding
from engines.trt.store.cache import PlanCache
from engines.trt.store.key import BatchProfile
from tests.one_thread import one_thread

GOLDEN = Path(__file__).resolve().parents[6] / "shared" / "golden" / "magicface"
BATCH = BatchProfile(1, 2, 3)


def request_for(weights, **changed):
    """A request for 128-pixel images in fp16."""
    facts = {"dtype": "fp16", "image_size": 128, "batch": BATCH, "sm": None} | changed
    return BuildRequest(folders=find_folders(weights), **facts)


@cache
def _root() -> Path:
    root = Path(tempfile.mkdtemp(prefix="aureel-plans-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


@cache
def golden_store() -> PlanCache:
    """The golden networks' graphs in fp32, proved when they were made."""
    store = PlanCache(_root() / "golden")
    with one_thread():
        list(PlanBuilder(request_for(GOLDEN, dtype="fp32"), None, store).run())
    return store


@cache
def small_weights() -> Path:
    """Seeded random weights with real head dimensions."""
    return write_weights(_root() / "small-weights")


@cache
def small_store() -> PlanCache:
    """The small network's fp16 graphs."""
    store = PlanCache(_root() / "small")
    builder = PlanBuilder(
        request_for(small_weights(), sm=89), import_binding("tensorrt-rtx"), store
    )
    with one_thread():
        for component in COMPONENTS:
            builder.graph(component)
    return store


@cache
def built(sm: int = 89) -> dict[str, Prepared]:
    """Component → what building gave: every TensorRT-RTX plan of the small network."""
    rtx, found = import_binding("tensorrt-rtx"), {}
    for done in PlanBuilder(request_for(small_weights(), sm=sm), rtx, small_store()).run():
        if done.entry.kind == "plan":
            found[done.entry.component] = done
    return found


def request_on_l4(weights):
    """Plans for the GPU of this machine, which is said to be an L4."""
    return request_for(weights, sm=89, gpu="NVIDIA L4", gpu_sm=89, batch=BatchProfile(1, 2, 2))


def plan_of(binding, store, weights, component="vae_encoder"):
    """One plan, built and checked."""
    builder = PlanBuilder(request_on_l4(weights), binding, store)
    return builder.plan(component, builder.graph(component).entry)
