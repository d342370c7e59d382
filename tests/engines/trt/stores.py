"""Graphs and engines that tests of several rooms share, made once per run: exports take longest."""

import atexit
import importlib.util
import multiprocessing
import shutil
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from engines.editors.magicface.backends.build_request import Order
from engines.editors.magicface.backends.ports import ORDER
from engines.editors.magicface.backends.prepare import Prepared, Workshop
from engines.editors.magicface.bench.weights import write_weights
from engines.editors.magicface.folders import find_folders
from engines.trt.binding import Binding, import_binding
from engines.trt.cache import EngineCache
from engines.trt.key import BatchProfile
from tests.engines.trt.fake_tensorrt import fake_tensorrt

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden" / "magicface"
BATCH = BatchProfile(1, 2, 3)


def order_of(weights, **changed):
    """An order for 128-pixel images in fp16."""
    facts = {"dtype": "fp16", "image_size": 128, "batch": BATCH, "sm": None} | changed
    return Order(folders=find_folders(weights), **facts)


@cache
def _root() -> Path:
    root = Path(tempfile.mkdtemp(prefix="aureel-engines-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


@contextmanager
def one_thread():
    """On networks this small a second thread only waits, and spins where others compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _make_golden_graphs(root: Path) -> None:
    torch.set_num_threads(1)
    list(Workshop(order_of(GOLDEN, dtype="fp32"), None, EngineCache(root)).run())


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
def golden_store() -> EngineCache:
    """The golden networks' graphs in fp32, proved when they were made."""
    process, root = golden_process()
    if importlib.util.find_spec("tensorrt_rtx"):
        small_store()  # needed too, and made while the other process works
    process.join()
    assert process.exitcode == 0
    return EngineCache(root)


@cache
def small_weights() -> Path:
    """Seeded random weights with real head dimensions."""
    return write_weights(_root() / "small-weights")


@cache
def small_store() -> EngineCache:
    """The small network's fp16 graphs."""
    store = EngineCache(_root() / "small")
    workshop = Workshop(order_of(small_weights(), sm=89), import_binding("tensorrt-rtx"), store)
    with one_thread():
        for component in ORDER:
            workshop.graph(component)
    return store


@cache
def built() -> dict[tuple[str, int], Prepared]:
    """(component, sm) → what building said: every TensorRT-RTX engine of the small network."""
    rtx, found = import_binding("tensorrt-rtx"), {}
    for sm in (89, 120):
        for done in Workshop(order_of(small_weights(), sm=sm), rtx, small_store()).run():
            if done.entry.kind == "engine":
                found[done.entry.component, sm] = done
    return found


def fake_binding(name):
    """A pretended TensorRT of a recorded version."""
    return Binding("tensorrt-rtx" if "rtx" in name else "tensorrt", fake_tensorrt(name))


def order_on_l4(weights):
    """Engines for the GPU of this machine, which is said to be an L4."""
    return order_of(weights, sm=89, gpu="NVIDIA L4", gpu_sm=89, batch=BatchProfile(1, 2, 2))


def engine_of(binding, store, weights, component="vae_encoder"):
    """One engine, built and checked."""
    workshop = Workshop(order_on_l4(weights), binding, store)
    return workshop.engine(component, workshop.graph(component).entry)
