"""Graphs and engines for the tests, made once: exports take most of the time."""

import multiprocessing
from pathlib import Path

import pytest

from engines.trt.binding import import_binding
from engines.trt.cache import EngineCache
from engines.trt.key import BatchProfile
from engines.trt.order import Order, weight_folders
from engines.trt.prepare import Workshop
from tests.engines.trt.random_weights import write_weights

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden" / "magicface"
BATCH = BatchProfile(1, 2, 3)


def order_of(weights, **changed):
    facts = {"dtype": "fp16", "image_size": 128, "batch": BATCH, "sm": None} | changed
    return Order(folders=weight_folders(weights), **facts)


def _make_golden_graphs(root):
    list(Workshop(order_of(GOLDEN, dtype="fp32"), None, EngineCache(root)).run())


@pytest.fixture(scope="session")
def golden_process(tmp_path_factory):
    """The golden networks' graphs, being made in a second process while other tests run."""
    if not GOLDEN.is_dir():
        return None
    root = tmp_path_factory.mktemp("golden-store")
    process = multiprocessing.get_context("spawn").Process(target=_make_golden_graphs, args=(root,))
    process.start()
    return process, root


@pytest.fixture(scope="session")
def golden_store(golden_process):
    """A store with the golden networks' graphs in fp32, proved when they were made."""
    if golden_process is None:
        pytest.skip("no ../shared/golden beside this checkout")
    process, root = golden_process
    process.join()
    assert process.exitcode == 0
    return EngineCache(root)


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory):
    """Seeded random weights with real head dimensions."""
    return write_weights(tmp_path_factory.mktemp("small-weights"))


@pytest.fixture(scope="session")
def small_store(small_weights, golden_process, tmp_path_factory):
    """A store with the small network's fp16 graphs."""
    cache = EngineCache(tmp_path_factory.mktemp("small-store"))
    rtx = import_binding("tensorrt-rtx")
    workshop = Workshop(order_of(small_weights, sm=89), rtx, cache)
    for component in ("vae_encoder", "vae_decoder", "id_encoder", "denoiser"):
        workshop.graph(component)
    return cache
