"""Fixtures shared by all rooms: where the optional real material lies; and who runs beside whom."""

from pathlib import Path

import pytest

from jobs.ray_cluster.cluster import be_quiet

be_quiet()  # before any test imports Ray
SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
EXPORTED = {"golden_store", "small_store", "built"}
"""Fixtures over graphs and plans that are made once per process, in minutes."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in a hook of its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Says what must share a process under `-n N --dist loadgroup`; else a file stays together."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_company(item)))


def _company(item: pytest.Item) -> str:
    if hasattr(getattr(item, "module", None), "stores") or EXPORTED & set(item.fixturenames):
        return "exported graphs"
    if "jobs" in item.path.parent.parts:
        return "ray"  # one Ray: a second one beside it would starve both of two cores
    return str(item.path)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and golden tensors; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this checkout")
    return SHARED
