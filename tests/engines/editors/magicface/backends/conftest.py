"""The shared stores as fixtures."""

import importlib.util

import pytest

from engines.trt.store.cache import PlanCache

ABSENT = [
    name
    for name in ("torch", "diffusers", "transformers", "onnx", "onnxruntime")
    if importlib.util.find_spec(name) is None
]
collect_ignore = (
    [
        *("test_arrivals.py", "test_backends.py", "test_build_rtx.py", "test_graphs.py"),
        "test_before_actors.py",
    ]
    if ABSENT
    else []
)
if not ABSENT:
    from tests.engines.editors.magicface.backends import stores
    from tests.engines.trt.fake_tensorrt import NAMES, fake_binding


@pytest.fixture(scope="session")
def golden_store():
    """A store with the golden networks' graphs in fp32."""
    if not stores.GOLDEN.is_dir():
        pytest.skip("no ../shared/golden beside this checkout")
    return stores.golden_store()


@pytest.fixture(scope="session")
def small_weights():
    """Seeded random weights with real head dimensions."""
    return stores.small_weights()


@pytest.fixture(scope="session")
def small_store():
    """A store with the small network's fp16 graphs."""
    pytest.importorskip("tensorrt_rtx")
    return stores.small_store()


@pytest.fixture(scope="session")
def built():
    """Component → what building gave; every plan of the small network for SM89."""
    pytest.importorskip("tensorrt_rtx")
    return stores.built()


@pytest.fixture
def store(small_store, tmp_path):
    """The small graphs in a store of its own, so that plans of one test do not meet others'."""
    for graph in small_store.root.glob("*-graph-*"):
        (tmp_path / graph.name).symlink_to(graph)
    return PlanCache(tmp_path)


@pytest.fixture(params=[] if ABSENT else NAMES)
def binding(request):
    return fake_binding(request.param)
