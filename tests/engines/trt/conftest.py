"""The shared stores as fixtures."""

import pytest

from tests.engines.trt import stores


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
    if stores.GOLDEN.is_dir():
        stores.golden_process()
    return stores.small_store()


@pytest.fixture(scope="session")
def built():
    """(component, sm) → what building said; every engine of the small network."""
    pytest.importorskip("tensorrt_rtx")
    return stores.built()
