"""Fixtures shared by all rooms: where the optional real material lies."""

from pathlib import Path

import pytest

from jobs.ray_cluster.cluster import be_quiet

be_quiet()  # before any test imports Ray
SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and golden tensors; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this checkout")
    return SHARED
