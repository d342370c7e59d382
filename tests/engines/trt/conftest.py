"""One small network that is no MagicFace, and every pretended TensorRT."""

import contextlib
import importlib.util

import pytest

ABSENT = [n for n in ("torch", "onnx", "onnxruntime") if importlib.util.find_spec(n) is None]
collect_ignore = ["test_accuracy.py", "test_export.py", "test_runtime.py"] if ABSENT else []
if not ABSENT:
    from tests.engines.trt import small_network
    from tests.engines.trt.fake_tensorrt import NAMES, fake_binding
    from tests.one_thread import one_thread


@pytest.fixture(autouse=True)
def _one_thread():
    with contextlib.nullcontext() if ABSENT else one_thread():
        yield


@pytest.fixture(scope="session")
def graph(tmp_path_factory):
    """The small network's fp16 graph with its golden sample, in a store."""
    return small_network.graph_in(tmp_path_factory.mktemp("graph"))


@pytest.fixture(params=[] if ABSENT else NAMES)
def binding(request):
    return fake_binding(request.param)
