"""Graphs and plans that tests of several rooms share, made once per run: exports take longest."""

import atexit
import importlib.util
import multiprocessing
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch

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


def _make_golden_graphs(root: Path) -> None:
    torch.set_num_threads(1)
    list(PlanBuilder(request_for(GOLDEN, dtype="fp32"), None, PlanCache(root)).run())


@cache
def golden_process():
    """The golden networks' graphs, being made in a second process while other tests run.

    For those who will want them: the export keeps every core busy for minutes, and Ray's daemons
    give up when they do not come up within 15 s beside it.
    """
    root = _root() / "golden"
    process = multiprocessing.get_context("spawn").Process(target=_make_golden_graphs, args=(root,))
    process.start()
    return process, root


@cache
def golden_store() -> PlanCache:
    """The golden networks' graphs in fp32, proved when they were made."""
    process, root = golden_process()
    if importlib.util.find_spec("tensorrt_rtx"):
        small_store()  # needed too, and made while the other process works
    process.join()
    assert process.exitcode == 0
    return PlanCache(root)


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
def built() -> dict[tuple[str, int], Prepared]:
    """(component, sm) → what building gave: every TensorRT-RTX plan of the small network."""
    rtx, found = import_binding("tensorrt-rtx"), {}
    for sm in (89, 120):
        for done in PlanBuilder(request_for(small_weights(), sm=sm), rtx, small_store()).run():
            if done.entry.kind == "plan":
                found[done.entry.component, sm] = done
    return found


def request_on_l4(weights):
    """Plans for the GPU of this machine, which is said to be an L4."""
    return request_for(weights, sm=89, gpu="NVIDIA L4", gpu_sm=89, batch=BatchProfile(1, 2, 2))


def plan_of(binding, store, weights, component="vae_encoder"):
    """One plan, built and checked."""
    builder = PlanBuilder(request_on_l4(weights), binding, store)
    return builder.plan(component, builder.graph(component).entry)
