"""One drawn person's plate, rendered once for all studies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.studies.identities import find_identities, plate_of
from pipeline.studies.shares import PLATES


@pytest.fixture(scope="session")
def drawn_plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (drawn,) = find_identities("synthetic", 1)
    return plate_of(drawn, tmp_path_factory.mktemp("plates"))


@pytest.fixture
def work(drawn_plate: Path, tmp_path: Path) -> Path:
    """The state folder of a run that has its plate already."""
    (tmp_path / "work" / PLATES).mkdir(parents=True)
    shutil.copy2(drawn_plate, tmp_path / "work" / PLATES)
    return tmp_path / "work"
