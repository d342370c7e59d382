"""The stores of the TensorRT room, as fixtures here too."""

from tests.engines.trt.conftest import (
    ABSENT,
    _one_thread,
    binding,
    built,
    golden_store,
    small_store,
    small_weights,
    store,
)

__all__ = [
    "_one_thread",
    "binding",
    "built",
    "golden_store",
    "small_store",
    "small_weights",
    "store",
]
collect_ignore = ["test_backends.py", "test_graphs.py"] if ABSENT else []
